# How a module system behaves. It must hold of nixpkgs' lib, and so of mini's.
{ lib }:
let
  inherit (lib)
    evalModules
    mkBefore
    mkAfter
    mkDefault
    mkForce
    mkIf
    mkMerge
    mkOption
    mkOrder
    mkOverride
    types
    ;

  config = modules: removeAttrs (evalModules { inherit modules; }).config [ "_module" ];
  option = type: mkOption { inherit type; };
  withDefault = type: default: mkOption { inherit type default; };

  # The value of one option `x` of a type, by definitions.
  value =
    type: defs:
    (config ([ { options.x = option type; } ] ++ map (x: { config.x = x; }) defs)).x;
  merges = type: defs: expected: {
    expr = value type defs;
    inherit expected;
  };
  refuses = type: defs: merges type defs "fails";

  person = {
    options = {
      age = option types.int;
      tags = withDefault (types.listOf types.str) [ ];
    };
  };
  has = name: types ? ${name};
  # The module system as it has been since 2019.
  modern = has "submoduleWith";
in
{
  # --- priorities, conditions, order

  priorityOfDefault = merges types.int [ (mkDefault 1) 2 ] 2;
  priorityOfForce = merges types.int [ (mkForce 1) 2 ] 1;
  priorityOfOverride = merges types.int [ (mkOverride 90 1) 2 (mkOverride 80 3) ] 3;
  priorityOfTwoEqual = merges types.int [ 1 1 ] 1 // { when = modern; };
  priorityConflict = refuses types.int [ 1 2 ];
  priorityDropsWeakerLists = merges (types.listOf types.int) [ (mkForce [ 1 ]) [ 2 ] (mkDefault [ 3 ]) ] [ 1 ];
  optionDefaultIsWeakest = {
    expr = (config [ { options.x = withDefault types.int 1; } { x = mkDefault 2; } ]).x;
    expected = 2;
  };
  conditionFalse = merges (types.listOf types.int) [ (mkIf false [ 1 ]) [ 2 ] ] [ 2 ];
  conditionAroundOptions = {
    expr = (config [ { options.x = withDefault types.int 1; } { config = mkIf true { x = 2; }; } ]).x;
    expected = 2;
  };
  conditionDoesNotForce = {
    expr = (config [ { options.x = withDefault types.int 1; } { config = mkIf false { x = throw "read"; }; } ]).x;
    expected = 1;
  };
  conditionOnOtherOption = {
    expr = (config [
      { options = { x = withDefault types.int 1; on = withDefault types.bool false; }; }
      ({ config, ... }: { config = mkIf config.on { x = 2; }; })
      { on = true; }
    ]).x;
    expected = 2;
  };
  conditionAroundForce = merges types.int [ (mkIf true (mkForce 1)) 2 ] 1;
  mergeOfProperties = merges (types.listOf types.int) [ (mkMerge [ [ 1 ] (mkIf false [ 2 ]) [ 3 ] ]) ] [ 1 3 ];
  mergeAtTop = {
    expr = (config [ { options.x = option types.lines; } { config = mkMerge [ { x = "a"; } { x = "b"; } ]; } ]).x;
    expected = "a\nb";
  };
  forceAtTop = {
    expr = (config [ { options.x = option types.int; } { config = mkForce { x = 1; }; } { x = 2; } ]).x;
    expected = 1;
  };
  orderOfModules = merges (types.listOf types.int) [ [ 1 ] [ 2 ] [ 3 ] ] [ 3 2 1 ];
  orderOfImports = {
    expr = (config [
      { options.x = option (types.listOf types.int); }
      { imports = [ { x = [ 1 ]; } { imports = [ { x = [ 2 ]; } ]; x = [ 3 ]; } ]; x = [ 4 ]; }
      { x = [ 5 ]; }
    ]).x;
    expected = [ 2 3 1 5 4 ];
  };
  orderBefore = merges (types.listOf types.int) [ [ 1 ] (mkAfter [ 2 ]) (mkBefore [ 3 ]) ] [ 3 1 2 ];
  orderByNumber = merges types.lines [ (mkOrder 1200 "c") "b" (mkOrder 100 "a") ] "a\nb\nc";
  orderInsideForce = merges (types.listOf types.int) [ (mkForce (mkAfter [ 1 ])) (mkForce [ 2 ]) [ 3 ] ] [ 2 1 ];

  # --- types

  boolRefusesInt = refuses types.bool [ 1 ];
  intRefusesString = refuses types.int [ "1" ];
  strEqual = merges types.str [ "a" "a" ] "a" // { when = modern; };
  strRefusesTwo = refuses types.str [ "a" "b" ];
  linesJoin = merges types.lines [ "a" "b" ] "b\na";
  enumAccepts = merges (types.enum [ "a" "b" ]) [ "a" ] "a";
  enumRefuses = refuses (types.enum [ "a" "b" ]) [ "c" ];
  nullOrNull = merges (types.nullOr types.int) [ null ] null;
  nullOrMixed = refuses (types.nullOr types.int) [ null 1 ];
  nullOrValue = merges (types.nullOr types.int) [ 1 ] 1;
  eitherFirst = merges (types.either types.int types.str) [ 1 ] 1;
  eitherMixed = refuses (types.either types.int types.str) [ 1 "a" ];
  eitherLists = merges (types.either types.int (types.listOf types.int)) [ [ 1 ] [ 2 ] ] [ 2 1 ] // { when = has "anything"; };
  oneOfThird = merges (types.oneOf [ types.int types.bool types.str ]) [ "a" ] "a" // { when = has "oneOf"; };
  portRange = refuses types.port [ 65536 ] // { when = has "port"; };
  portTop = merges types.port [ 65535 ] 65535 // { when = has "port"; };
  unsignedRefuses = refuses types.ints.unsigned [ (0 - 1) ] // { when = has "ints"; };
  positiveRefusesZero = refuses types.ints.positive [ 0 ] // { when = has "ints"; };
  betweenAccepts = merges (types.ints.between 1 3) [ 3 ] 3 // { when = has "ints"; };
  u8Refuses = refuses types.ints.u8 [ 256 ] // { when = has "ints"; };
  pathAcceptsString = merges types.path [ "/a" ] "/a";
  pathRefusesRelative = refuses types.path [ "a" ];
  strMatchingAccepts = merges (types.strMatching "[a-z]+") [ "abc" ] "abc" // { when = has "strMatching"; };
  strMatchingRefuses = refuses (types.strMatching "[a-z]+") [ "aBc" ] // { when = has "strMatching"; };
  singleLineTrims = merges types.singleLineStr [ "a\n" ] "a" // { when = has "singleLineStr"; };
  nonEmptyStrRefuses = refuses types.nonEmptyStr [ " " ] // { when = has "nonEmptyStr"; };
  addCheckRefuses = refuses (types.addCheck types.int (x: x > 3)) [ 2 ];
  listOfChecksItems = refuses (types.listOf types.int) [ [ "a" ] ];
  listOfItemProperties = merges (types.listOf types.int) [ [ (mkIf false 1) 2 ] ] [ 2 ];
  nonEmptyListRefuses = refuses (types.nonEmptyListOf types.int) [ [ ] ] // { when = has "nonEmptyListOf"; };
  attrsOfMerges = merges (types.attrsOf types.int) [ { a = 1; } { b = 2; } ] { a = 1; b = 2; };
  attrsOfPriorities = merges (types.attrsOf types.int) [ { a = mkForce 1; } { a = 2; } ] { a = 1; };
  attrsOfLeavesOut = merges (types.attrsOf types.int) [ { a = mkIf false 1; b = 2; } ] { b = 2; };
  attrsOfConditionInside = merges (types.attrsOf types.int) [ (mkMerge [ { a = 1; } (mkIf false { b = 2; }) ]) ] { a = 1; };
  attrsOfList = merges (types.attrsOf (types.listOf types.int)) [ { a = [ 1 ]; } { a = [ 2 ]; } ] { a = [ 2 1 ]; };
  attrsOfReadsItsMembers = {
    expr = (value (types.attrsOf types.int) [ { a = throw "read"; b = 2; } ]).b;
    expected = "fails";
  };
  lazyAttrsOfDoesNot = {
    when = has "lazyAttrsOf";
    expr = (value (types.lazyAttrsOf types.int) [ { a = throw "read"; b = 2; } ]).b;
    expected = 2;
  };
  lazyAttrsOfRefersToItself = {
    when = has "lazyAttrsOf";
    expr = (config [
      { options.x = option (types.lazyAttrsOf types.int); }
      ({ config, ... }: { x = { a = 1; b = config.x.a + 1; }; })
    ]).x;
    expected = { a = 1; b = 2; };
  };
  lazyAttrsOfKeepsNames = {
    when = has "lazyAttrsOf";
    expr = builtins.attrNames (value (types.lazyAttrsOf types.int) [ { a = mkIf false 1; b = 2; } ]);
    expected = [ "a" "b" ];
  };
  uniqRefusesTwo = refuses (types.uniq types.int) [ 1 1 ];
  unspecifiedLists = merges types.unspecified [ [ 1 ] [ 2 ] ] [ 2 1 ];
  unspecifiedSets = merges types.unspecified [ { a = 1; } { b = 2; } ] { a = 1; b = 2; };
  rawIsNotLookedInto = {
    when = has "raw";
    expr = (value types.raw [ { a = 1; b = throw "read"; } ]).a;
    expected = 1;
  };
  rawRefusesTwo = refuses types.raw [ 1 1 ] // { when = has "raw"; };
  anythingSets = merges types.anything [ { a.b = 1; } { a.c = 2; } ] { a = { b = 1; c = 2; }; } // { when = has "anything"; };
  anythingConflict = refuses types.anything [ { a = 1; } { a = 2; } ] // { when = has "anything"; };
  anythingForce = merges types.anything [ { a = mkForce 1; } { a = 2; } ] { a = 1; } // { when = has "anything"; };
  functionToMerges = {
    when = has "functionTo";
    expr = value (types.functionTo (types.listOf types.int)) [ (x: [ x ]) (x: [ (x + 1) ]) ] 1;
    expected = [ 2 1 ];
  };
  coercedToConverts = merges (types.coercedTo types.int toString types.str) [ 1 ] "1" // { when = has "coercedTo"; };
  coercedToKeeps = merges (types.coercedTo types.int toString types.str) [ "a" ] "a" // { when = has "coercedTo"; };
  optionTypeMerges = {
    when = has "optionType";
    expr = (value types.optionType [ types.int ]).name;
    expected = "int";
  };

  descriptions = {
    when = types ? deferredModule;
    expr = map (t: t.description) [
      (types.nullOr (types.listOf types.str))
      (types.attrsOf (types.submodule { }))
      (types.oneOf [ types.int types.str types.bool ])
      (types.listOf (types.enum [ "a" "b" ]))
      (types.nullOr types.port)
    ];
    expected = [
      "null or (list of string)"
      "attribute set of (submodule)"
      "signed integer or string or boolean"
      "list of (one of \"a\", \"b\")"
      "null or 16 bit unsigned integer; between 0 and 65535 (both inclusive)"
    ];
  };

  # --- submodules

  submoduleMerges = merges (types.submodule person) [ { age = 1; } { tags = [ "a" ]; } ] { age = 1; tags = [ "a" ]; } // { when = modern; };
  submoduleName = {
    expr = (config [
      { options.x = option (types.attrsOf (types.submodule ({ name, ... }: { options.me = withDefault types.str name; }))); }
      { x.bob = { }; }
    ]).x.bob.me;
    expected = "bob";
  };
  submoduleConfig = {
    expr = (value (types.submodule ({ config, ... }: { options.a = option types.int; options.b = withDefault types.int (config.a + 1); })) [ { a = 1; } ]).b;
    expected = 2;
  };
  submoduleFunction = merges (types.submodule person) [ ({ ... }: { age = 2; }) ] { age = 2; tags = [ ]; } // { when = modern; };
  submoduleImports = {
    expr = (value (types.submodule { imports = [ person ]; }) [ { age = 1; } ]).age;
    expected = 1;
  };
  submoduleUnknown = refuses (types.submodule person) [ { age = 1; size = 2; } ];
  submoduleMissing = refuses (types.submodule person) [ { } ];
  submoduleListOf = merges (types.listOf (types.submodule person)) [ [ { age = 1; } ] [ { age = 2; } ] ] [ { age = 2; tags = [ ]; } { age = 1; tags = [ ]; } ] // { when = modern; };
  submoduleNested = merges (types.submodule { options.p = option (types.submodule person); }) [ { p.age = 1; } { p.age = mkForce 2; } ] { p = { age = 2; tags = [ ]; }; } // { when = modern; };
  submoduleLazy = {
    expr = (value (types.submodule person) [ { age = throw "read"; } ]).tags;
    expected = [ ];
  };
  submoduleWithSpecialArgs = {
    when = modern;
    expr = (value (types.submoduleWith { specialArgs.v = 3; modules = [ ({ v, ... }: { options.a = withDefault types.int v; }) ]; }) [ { } ]).a;
    expected = 3;
  };
  submoduleWithModuleDefinitions = {
    when = modern;
    expr = (value (types.submoduleWith { modules = [ person ]; }) [ { imports = [ { age = 4; } ]; } ]).age;
    expected = 4;
  };
  submoduleDeclaredTwice = {
    when = modern;
    expr = config [
      { options.x = option (types.submodule { options.a = withDefault types.int 1; }); }
      { options.x = option (types.submodule { options.b = withDefault types.int 2; }); }
      { x = { }; }
    ];
    expected.x = { a = 1; b = 2; };
  };
  optionsBelowSubmodule = {
    when = has "deferredModule";
    expr = config [
      { options.x = option (types.submodule { options.a = withDefault types.int 1; }); }
      { options.x.b = withDefault types.int 2; }
      { x = { }; }
    ];
    expected.x = { a = 1; b = 2; };
  };
  deferredModuleMerges = {
    when = has "deferredModule";
    expr = (config [
      person
      (value types.deferredModule [ { age = 1; } ({ ... }: { tags = [ "b" ]; }) ])
    ]);
    expected = { age = 1; tags = [ "b" ]; };
  };

  # --- declarations

  readOnlyOnce = {
    expr = (config [ { options.x = mkOption { type = types.int; readOnly = true; }; } { x = 1; } ]).x;
    expected = 1;
    when = modern;
  };
  readOnlyTwice = {
    expr = (config [ { options.x = mkOption { type = types.int; readOnly = true; default = 1; }; } { x = 1; } ]).x;
    expected = "fails";
    when = modern;
  };
  apply = {
    expr = (config [ { options.x = mkOption { type = types.int; apply = toString; }; } { x = 1; } ]).x;
    expected = "1";
  };
  enumsJoin = {
    when = modern;
    expr = (config [ { options.x = option (types.enum [ "a" ]); } { options.x = option (types.enum [ "b" ]); } { x = "b"; } ]).x;
    expected = "b";
  };
  typesDisagree = {
    expr = (config [ { options.x = option types.int; } { options.x = option types.str; } { x = 1; } ]).x;
    expected = "fails";
  };
  twoDefaults = {
    expr = (config [ { options.x = withDefault types.int 1; } { options.x = withDefault types.int 1; } ]).x;
    expected = "fails";
  };
  undeclared = {
    expr = config [ { options.x = withDefault types.int 1; } { y = 1; } ];
    expected = "fails";
  };
  undeclaredUnchecked = {
    when = lib ? mkAliasOptionModule && has "submoduleWith";
    expr = config [ { options.x = withDefault types.int 1; } { _module.check = false; y = 1; } ];
    expected.x = 1;
  };
  freeform = {
    when = has "anything";
    expr = config [
      { freeformType = types.attrsOf types.int; options.x = withDefault types.str "a"; }
      { y = 1; }
      { y = mkForce 2; z = 3; }
    ];
    expected = { x = "a"; y = 2; z = 3; };
  };
  freeformChecks = {
    when = has "anything";
    expr = config [ { freeformType = types.attrsOf types.int; } { y = "a"; } ];
    expected = "fails";
  };
  freeformNested = {
    when = has "anything";
    expr = config [
      { freeformType = types.attrsOf (types.attrsOf types.int); options.a.b = withDefault types.str "x"; }
      { a.c = 1; d.e = 2; }
    ];
    expected = { a = { b = "x"; c = 1; }; d.e = 2; };
  };
  optionInfo = {
    expr =
      let
        o = (evalModules { modules = [ { options.a.x = withDefault types.int 1; } { a.x = mkDefault 2; } { a.x = mkDefault 2; } ]; }).options.a.x;
      in
      {
        inherit (o) value isDefined definitions;
        prio = o.highestPrio;
      };
    expected = { value = 2; isDefined = true; definitions = [ 2 2 ]; prio = 1000; };
    when = modern;
  };
  showOption = {
    expr = lib.showOption [ "a" "b.c" "d" ];
    expected = "a.\"b.c\".d";
    when = has "deferredModule";
  };

  # --- modules

  moduleArgs = {
    when = modern;
    expr = (config [ { options.x = option types.int; } ({ v, ... }: { x = v; }) { _module.args.v = 5; } ]).x;
    expected = 5;
  };
  specialArgs = {
    when = modern;
    expr = (evalModules { specialArgs.v = [ { x = 6; } ]; modules = [ { options.x = option types.int; } ({ v, ... }: { imports = v; }) ]; }).config.x;
    expected = 6;
  };
  sameModuleOnce = {
    expr = (config [ { options.x = option (types.listOf types.int); } { key = "k"; x = [ 1 ]; } { imports = [ { key = "k"; x = [ 1 ]; } ]; } ]).x;
    expected = [ 1 ];
  };
  disabledModule = {
    when = modern;
    expr = (config [
      { options.x = withDefault types.int 0; }
      ./fixtures/one.nix
      { disabledModules = [ ./fixtures/one.nix ]; }
    ]).x;
    expected = 0;
  };
  extendModules = {
    when = (evalModules { modules = [ ]; }) ? extendModules;
    expr =
      let
        base = evalModules { modules = [ { options.x = option (types.listOf types.int); config.x = [ 1 ]; } ]; };
      in
      [ base.config.x (base.extendModules { modules = [ { x = [ 2 ]; } ]; }).config.x ];
    expected = [ [ 1 ] [ 2 1 ] ];
  };
  prefix = {
    when = modern;
    expr = (evalModules { prefix = [ "p" ]; modules = [ { options.x = withDefault types.int 1; } ]; }).options.x.loc;
    expected = [ "p" "x" ];
  };
  mixedSyntax = {
    expr = config [ { options.x = withDefault types.int 1; x = 2; } ];
    expected = "fails";
  };
  functor = {
    expr = (config [ { options.x = option types.int; } { __functor = _: { ... }: { x = 1; }; } ]).x;
    expected = 1;
    when = has "deferredModule";
  };
  renamedOption = {
    when = modern;
    expr = (config [
      { options.new.x = option types.int; }
      { options.warnings = withDefault (types.listOf types.str) [ ]; }
      (lib.mkAliasOptionModule [ "old" "x" ] [ "new" "x" ])
      { old.x = 3; }
    ]).new.x;
    expected = 3;
  };
  removedOption = {
    when = modern;
    expr = (config [
      { options.assertions = withDefault (types.listOf types.unspecified) [ ]; }
      (lib.mkRemovedOptionModule [ "old" "x" ] "Use new.x.")
      { old.x = 3; }
    ]).assertions != [ ];
    expected = true;
  };
}
