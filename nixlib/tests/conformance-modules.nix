# Modules beyond ./conformance.nix: evaluations that are extended, options that
# moved, freeform, apply, submodules in all positions, and what an evaluation
# says of its options. It must hold of nixpkgs' lib, and so of mini's.
{ lib }:
let
  inherit (lib)
    evalModules
    mkAfter
    mkAliasDefinitions
    mkAliasOptionModule
    mkBefore
    mkChangedOptionModule
    mkDefault
    mkForce
    mkIf
    mkMerge
    mkMergedOptionModule
    mkOption
    mkOptionDefault
    mkRemovedOptionModule
    mkRenamedOptionModule
    mkVMOverride
    types
    ;
  inherit (builtins) attrNames head mapAttrs;

  evaluate = modules: evalModules { inherit modules; };
  config = modules: removeAttrs (evaluate modules).config [ "_module" ];
  options = modules: (evaluate modules).options;
  option = type: mkOption { inherit type; };
  withDefault = type: default: mkOption { inherit type default; };
  int = option types.int;
  ints = option (types.listOf types.int);

  # The module system as it is now.
  when = types ? attrTag;
  is = expr: expected: { inherit expr expected when; };
  fails = expr: is expr "fails";

  warnings = { options.warnings = withDefault (types.listOf types.str) [ ]; };
  assertions = { options.assertions = withDefault (types.listOf types.unspecified) [ ]; };
  at = file: m: { _file = file; } // m;
  list = { options.x = ints; };
in
{
  # --- extendModules

  extendTwice = is
    (((evaluate [ list { x = [ 1 ]; } ]).extendModules { modules = [ { x = [ 2 ]; } ]; }).extendModules { modules = [ { x = mkBefore [ 3 ]; } ]; }).config.x
    [ 3 2 1 ];
  extendLeavesTheFirst = is
    (let first = evaluate [ list { x = [ 1 ]; } ]; second = first.extendModules { modules = [ { x = mkForce [ ]; } ]; }; in [ first.config.x second.config.x ])
    [ [ 1 ] [ ] ];
  extendDeclares = is ((evaluate [ list { x = [ ]; } ]).extendModules { modules = [ { options.y = withDefault types.int 3; } ]; }).config.y 3;
  extendSpecialArgs = is
    ((evaluate [ list ]).extendModules { specialArgs.v = [ 7 ]; modules = [ ({ v, ... }: { x = v; }) ]; }).config.x
    [ 7 ];
  extendPrefix = is ((evaluate [ list { x = [ ]; } ]).extendModules { prefix = [ "p" ]; }).options.x.loc [ "p" "x" ];
  extendModulesIsAnArgument = is
    (config [ list ({ extendModules, ... }: { options.y = withDefault types.unspecified (extendModules { modules = [ { x = [ 2 ]; } ]; }).config.x; }) { x = [ 1 ]; } ]).y
    [ 2 1 ];
  typeOfEvaluation = is
    (config [ { options.s = option (evaluate [ list ]).type; } { s.x = [ 1 ]; } { s.x = [ 2 ]; } ]).s.x
    [ 1 2 ];

  # --- arguments

  argsFromModules = is (config [ { options.x = int; } ({ a, b, ... }: { x = a + b; }) { _module.args = { a = 1; b = 2; }; } ]).x 3;
  argsAreLazy = is (config [ { options.x = int; } ({ a, ... }: { x = 1; }) { _module.args.a = throw "read"; } ]).x 1;
  argsOverride = is (config [ { options.x = int; } ({ a, ... }: { x = a; }) { _module.args.a = mkDefault 1; } { _module.args.a = 2; } ]).x 2;
  optionsArgument = is (config [ { options.x = int; options.y = withDefault types.bool false; } ({ options, ... }: { y = options.x.isDefined; }) { x = 1; } ]).y true;
  libArgument = is (config [ { options.x = int; } ({ lib, ... }: { x = lib.mkForce 2; }) { x = 1; } ]).x 2;
  moduleInASet = is (config [ { options.x = int; } { imports = [ ({ ... }: { config.x = 1; }) ]; } ]).x 1;
  functorWithArgs = is (config [ { options.x = int; } (lib.setFunctionArgs (a: { x = a.v; }) { v = false; }) { _module.args.v = 4; } ]).x 4;

  # --- files, keys, what is left out

  disabledByKey = is (config [ list { key = "k"; x = [ 1 ]; } { disabledModules = [ { key = "k"; } ]; x = [ 2 ]; } ]).x [ 2 ];
  disabledInImport = is (config [ list ./fixtures/list-one.nix { imports = [ { disabledModules = [ ./fixtures/list-one.nix ]; } ]; x = [ 2 ]; } ]).x [ 2 ];
  disabledBySetOfFile = is (config [ list { imports = [ { key = "a"; x = [ 1 ]; imports = [ { key = "b"; x = [ 3 ]; } ]; } ]; } { disabledModules = [ { key = "a"; } ]; x = [ 2 ]; } ]).x [ 2 ];
  sameFileOnce = is (config [ list ./fixtures/list-one.nix { imports = [ ./fixtures/list-one.nix ]; } ]).x [ 1 ];
  sameSetTwice = is (config [ list { x = [ 1 ]; } { imports = [ { x = [ 1 ]; } ]; } ]).x [ 1 1 ];
  setLocation = is (head (options [ list (lib.setDefaultModuleLocation "/m/a.nix" { x = [ 1 ]; }) ]).x.files) "/m/a.nix";
  importJSON = is (config [ { options.x = int; } (lib.modules.importJSON ./fixtures/one.json) ]).x 1;
  classAccepts = is (evalModules { class = "a"; modules = [ list { _class = "a"; x = [ 1 ]; } ]; }).config.x [ 1 ];
  classRefuses = fails (evalModules { class = "a"; modules = [ list { _class = "b"; x = [ 1 ]; } ]; }).config.x;
  classOfNone = is (evaluate [ list { _class = "b"; x = [ 1 ]; } ]).config.x [ 1 ];
  checkCanBeOff = is (config [ { options.x = int; } { _module.check = false; x = 1; y = 2; } ]) { x = 1; };

  # --- priorities and order

  priorities = is (config [ { options.x = int; } { x = mkOptionDefault 1; } { x = mkDefault 2; } { x = mkVMOverride 3; } { x = mkForce 4; } ]).x 3;
  forceBelow = is (config [ { options.a = { x = int; y = int; }; } { a = mkForce { x = 1; }; } { a = { x = 2; y = 2; }; } ]).a { x = 1; y = 2; };
  conditionalForce = is (config [ list { x = mkIf false (mkForce [ 1 ]); } { x = [ 2 ]; } ]).x [ 2 ];
  mergeOfForces = is (config [ list { x = mkMerge [ (mkForce [ 1 ]) [ 2 ] ]; } { x = [ 3 ]; } ]).x [ 1 ];
  orderAcrossFiles = is (config [ list { x = mkAfter [ 9 ]; } { x = [ 5 ]; } { x = mkBefore [ 1 ]; } { x = mkMerge [ (mkAfter [ 8 ]) [ 4 ] ]; } ]).x [ 1 4 5 8 9 ];
  importsBeforeImporter = is (config [ list { imports = [ { x = [ 1 ]; } ]; x = [ 2 ]; } ]).x [ 1 2 ];
  definitionKeepsFile = is (head (options [ list { x = lib.mkDefinition { file = "/d"; value = [ 1 ]; }; } ]).x.files) "/d" // { when = lib ? mkDefinition; };
  assertHolds = is (config [ list { x = lib.mkAssert true "no" [ 1 ]; } ]).x [ 1 ];
  assertFails = fails (config [ list { x = lib.mkAssert false "no" [ 1 ]; } ]).x;

  # --- options that moved

  renamed = is
    (let c = config [ warnings { options.new = ints; } (mkRenamedOptionModule [ "old" ] [ "new" ]) (at "/m/a.nix" { old = [ 1 ]; }) { new = [ 2 ]; } ]; in [ c.new c.warnings ])
    [ [ 2 1 ] [ "The option `old' defined in `/m/a.nix' has been renamed to `new'." ] ];
  renamedUnused = is (config [ warnings { options.new = withDefault types.int 1; } (mkRenamedOptionModule [ "old" ] [ "new" ]) ]).warnings [ ];
  renamedKeepsPriority = is (config [ warnings { options.new = int; } (mkRenamedOptionModule [ "old" ] [ "new" ]) { old = mkForce 1; } { new = 2; } ]).new 1;
  renamedCanBeRead = is (config [ { options.new = int; } (mkAliasOptionModule [ "a" "old" ] [ "new" ]) { new = 2; } ]).a.old 2;
  renamedBySubmodule = is (config [ { options.s = option (types.submodule { imports = [ (mkAliasOptionModule [ "old" ] [ "new" ]) ]; options.new = int; }); } { s.old = 3; } ]).s.new 3;
  aliasCondition = is (config [ list { options.y = ints; } { y = mkIf false [ 1 ]; x = [ 2 ]; } ({ options, ... }: { x = mkAliasDefinitions options.y; }) ]).x [ 2 ];
  aliasDefinitions = is (config [ list { options.y = ints; } { y = [ 1 ]; } ({ options, ... }: { x = mkAliasDefinitions options.y; }) ]).x [ 1 ];
  changed = is
    (let c = config [ warnings { options.new = option types.str; } (mkChangedOptionModule [ "old" ] [ "new" ] (c: toString c.old)) { old = 5; } ]; in [ c.new (builtins.length c.warnings) ])
    [ "5" 1 ];
  mergedOptions = is
    (config [ warnings { options.new = ints; } (mkMergedOptionModule [ [ "a" ] [ "b" ] ] [ "new" ] (c: [ c.a c.b ])) { a = 1; b = 2; } ]).new
    [ 1 2 ];
  mergedUnused = is (config [ warnings { options.new = withDefault types.int 0; } (mkMergedOptionModule [ [ "a" ] ] [ "new" ] (c: c.a)) ]).new 0;
  removed = is
    (map (a: [ a.assertion a.message ]) (config [ assertions (mkRemovedOptionModule [ "old" ] "Use new.") (at "/m/a.nix" { old = 1; }) ]).assertions)
    [ [ false "The option definition `old' in `/m/a.nix' no longer has any effect; please remove it.\nUse new.\n" ] ];
  removedUnused = is (map (a: a.assertion) (config [ assertions (mkRemovedOptionModule [ "old" ] "Use new.") ]).assertions) [ true ];
  derived = is (config [ { options.x = int; options.y = int; } { x = mkForce 2; } ({ options, ... }: { y = lib.mkDerivedConfig options.x (x: x + 1); }) { y = 9; } ]).y 3;

  # --- apply, default, readOnly

  applySeesMerged = is (config [ { options.x = mkOption { type = types.listOf types.int; apply = builtins.length; }; } { x = [ 1 ]; } { x = [ 2 ]; } ]).x 2;
  applyOnDefault = is (config [ { options.x = mkOption { type = types.int; default = 1; apply = x: x + 1; }; } ]).x 2;
  applyInSubmodule = is (config [ { options.s = option (types.attrsOf (types.submodule { options.x = mkOption { type = types.int; apply = toString; }; })); } { s.a.x = 1; } ]).s.a.x "1";
  applyMayReadConfig = is (config [ ({ config, ... }: { options.x = mkOption { type = types.int; apply = x: x + config.y; }; options.y = int; }) { x = 1; y = 2; } ]).x 3;
  defaultMayReadConfig = is (config [ ({ config, ... }: { options.x = withDefault types.int config.y; options.y = int; }) { y = 2; } ]).x 2;
  defaultMergesWithDefault = is (config [ { options.x = withDefault (types.listOf types.int) [ 1 ]; } { x = mkOptionDefault [ 2 ]; } ]).x [ 1 2 ];
  defaultIsChecked = fails (config [ { options.x = withDefault types.int "a"; } ]).x;
  defaultAndTypeApart = is (config [ { options.x = int; } { options.x = mkOption { default = 4; }; } ]).x 4;
  readOnlyDefault = is (config [ { options.x = mkOption { type = types.int; default = 1; readOnly = true; }; } ]).x 1;
  readOnlyEqual = fails (config [ { options.x = mkOption { type = types.int; readOnly = true; }; } { x = 1; } { x = 1; } ]).x;
  noTypeMergesSets = is (config [ { options.x = mkOption { }; } { x.a = 1; } { x.b = 2; } ]).x { a = 1; b = 2; };
  enableOption = is (config [ { options.x = lib.mkEnableOption "x"; } ]).x false;
  packageOption = is (options [ { options.x = lib.mkPackageOption { hello = derivation { name = "hello"; system = "x"; builder = "b"; }; } "hello" { }; } ]).x.value.name "hello";

  # --- freeform

  freeformLeavesDeclared = fails (config [ { freeformType = types.attrsOf types.int; options.x = option types.str; } { x = 1; } ]).x;
  freeformLists = is (config [ { freeformType = types.attrsOf (types.listOf types.int); } { a = [ 1 ]; } { a = mkBefore [ 2 ]; } ]).a [ 2 1 ];
  freeformInSubmodule = is (config [ { options.s = option (types.submodule { freeformType = types.attrsOf types.int; options.x = withDefault types.str "d"; }); } { s.a = 1; } ]).s { a = 1; x = "d"; };
  freeformMayReadConfig = is (config [ ({ config, ... }: { freeformType = types.lazyAttrsOf types.int; config = { a = 1; b = config.a + 1; }; }) ]) { a = 1; b = 2; };
  freeformJoined = is (config [ { freeformType = types.attrsOf types.int; } { options.deep.x = withDefault types.int 1; } { y = 2; } ]) { deep.x = 1; y = 2; };
  freeformOfModuleOption = is (config [ { _module.freeformType = types.attrsOf types.int; } { y = 2; } ]) { y = 2; };

  # --- submodules

  submoduleNameInList = is (map (v: v.n) (config [ { options.s = option (types.listOf (types.submodule ({ name, ... }: { options.n = withDefault types.str name; }))); } { s = [ { } { } ]; } ]).s) [ "[definition 1-entry 1]" "[definition 1-entry 2]" ];
  submoduleOfNullOr = is (config [ { options.s = withDefault (types.nullOr (types.submodule list)) null; } { s.x = [ 1 ]; } { s.x = [ 2 ]; } ]).s.x [ 1 2 ];
  submoduleShorthand = is (config [ { options.s = option (types.submodule { options.config = int; options.imports = int; }); } { s = { config = 1; imports = 2; }; } ]).s { config = 1; imports = 2; };
  submoduleFile = is (config [ { options.s = option (types.submodule list); } { s = ./fixtures/list-one.nix; } ]).s.x [ 1 ];
  submoduleSeesOuter = is (config [ ({ config, ... }: { options.o = int; options.s = option (types.submodule { options.y = withDefault types.int config.o; }); }) { o = 3; s = { }; } ]).s.y 3;
  submoduleDefaultEmpty = is (config [ { options.s = withDefault (types.submodule { options.y = withDefault types.int 1; }) { }; } ]).s.y 1;
  submoduleForceWhole = is (config [ { options.s = option (types.submodule list); } { s = mkForce { x = [ 1 ]; }; } { s.x = [ 2 ]; } ]).s.x [ 1 ];
  submoduleConditional = is (attrNames (config [ { options.s = option (types.attrsOf (types.submodule list)); } { s.a = mkIf false { x = [ 1 ]; }; s.b.x = [ ]; } ]).s) [ "b" ];
  submoduleWithDescription = is (types.submoduleWith { modules = [ ]; description = "person"; }).description "person";
  submoduleGetsDeclarations = is (config [ { options.s = option (types.attrsOf (types.submodule list)); } { options.s = option (types.attrsOf (types.submodule { options.y = withDefault types.int 2; })); } { s.a.x = [ 1 ]; } ]).s { a = { x = [ 1 ]; y = 2; }; };
  submoduleOptionsBelow = is (config [ { options.s = option (types.submodule list); } { options.s.y = withDefault types.int 2; } { s.x = [ ]; } ]).s { x = [ ]; y = 2; };
  subOptions = is (mapAttrs (_: o: o.loc) (removeAttrs ((types.attrsOf (types.submodule { options.y = int; options.z = int; })).getSubOptions [ "s" ]) [ "_module" ])) { y = [ "s" "<name>" "y" ]; z = [ "s" "<name>" "z" ]; };

  # --- what is known of an option

  optionFiles = is (options [ list (at "/m/a.nix" { x = [ 1 ]; }) (at "/m/b.nix" { x = [ 2 ]; }) ]).x.files [ "/m/b.nix" "/m/a.nix" ];
  optionDeclarations = is (options [ (at "/m/a.nix" { options.x = ints; }) (at "/m/b.nix" { options.x = ints; }) ]).x.declarations [ "/m/b.nix" "/m/a.nix" ];
  optionLocations = is (map (d: [ d.file d.value ]) (options [ list (at "/m/a.nix" { x = mkForce [ 1 ]; }) (at "/m/b.nix" { x = [ 2 ]; }) ]).x.definitionsWithLocations) [ [ "/m/a.nix" [ 1 ] ] ];
  optionDefined = is (let o = options [ { options.x = int; options.y = int; options.z = withDefault types.int 1; } { x = 1; } ]; in [ o.x.isDefined o.y.isDefined o.z.isDefined ]) [ true false true ];
  optionPriority = is (options [ { options.x = int; } { x = mkForce 1; } ]).x.highestPrio 50;
  optionDefaultPriority = is (options [ { options.x = withDefault types.int 1; } ]).x.highestPrio 1500;
  optionAsText = is "${(options [ { options.a.x = int; } ]).a.x}" "a.x";
  optionNames = is (attrNames (removeAttrs (options [ { options.a = { x = int; y = int; }; } ]) [ "_module" ])) [ "a" ];
  shownOption = is (lib.showOption [ "a" "<name>" "*" "b c" "3d" ]) "a.<name>.*.\"b c\".\"3d\"";
  documented = is (map (o: [ o.name o.type (o.default.text or null) (o.example.text or null) ]) (lib.optionAttrSetToDocList (removeAttrs (options [ { options.x = mkOption { type = types.int; default = 1; example = [ "a" 2 ]; description = "x"; }; } ]) [ "_module" ]))) [ [ "x" "signed integer" "1" "[\n  \"a\"\n  2\n]" ] ];
}
