# Types, one by one: what they accept, how their definitions become one value,
# what they are called, and how two declarations agree. It must hold of
# nixpkgs' lib, and so of mini's.
{ lib }:
let
  inherit (lib)
    evalModules
    mkAfter
    mkBefore
    mkDefault
    mkForce
    mkIf
    mkMerge
    mkOption
    types
    ;
  inherit (builtins) isString mapAttrs;

  config = modules: removeAttrs (evalModules { inherit modules; }).config [ "_module" ];
  option = type: mkOption { inherit type; };
  value =
    type: defs:
    (config ([ { options.x = option type; } ] ++ map (x: { config.x = x; }) defs)).x;
  merges = type: defs: expected: {
    expr = value type defs;
    inherit expected;
    when = current;
  };
  refuses = type: defs: merges type defs "fails";
  # Which of these values a type accepts.
  accepts = type: values: expected: {
    expr = map type.check values;
    inherit expected;
    when = current;
  };
  # Two declarations of one option.
  agree = a: b: def: expected: {
    expr = (config [ { options.x = option a; } { options.x = option b; } { x = def; } ]).x;
    inherit expected;
    when = current;
  };
  disagree = a: b: def: agree a b def "fails";
  called = type: expected: {
    expr = type.description;
    inherit expected;
    when = current;
  };

  # What is tested here is the module system as it is now; ./conformance.nix
  # is about all ages.
  current = types ? attrTag;
  newest = lib ? mkDefinition;

  drv = derivation { name = "a"; system = "x"; builder = "b"; };
  person = { options.age = option types.int; };
in
{
  # --- numbers

  intMergesEqual = merges types.int [ 3 3 ] 3;
  intRefusesFloat = accepts types.int [ 1 1.5 "1" null ] [ true false false false ];
  floatAccepts = accepts types.float [ 1.5 1 ] [ true false ];
  numberAccepts = accepts types.number [ 1 1.5 "1" ] [ true true false ];
  numberBetween = accepts (types.numbers.between 0 1.5) [ 0 1.5 2 ] [ true true false ];
  numberNonnegative = accepts types.numbers.nonnegative [ 0 (0 - 1) 0.5 ] [ true false true ];
  numberPositive = accepts types.numbers.positive [ 0 0.1 ] [ false true ];
  intsBetween = accepts (types.ints.between (0 - 2) 2) [ (0 - 2) 2 3 ] [ true true false ];
  intsSigned8 = accepts types.ints.s8 [ (0 - 128) 127 128 ] [ true true false ];
  intsSigned16 = accepts types.ints.s16 [ (0 - 32768) 32768 ] [ true false ];
  intsSigned32 = accepts types.ints.s32 [ 2147483647 2147483648 ] [ true false ];
  intsUnsigned8 = accepts types.ints.u8 [ 0 255 256 (0 - 1) ] [ true true false false ];
  intsUnsigned16 = accepts types.ints.u16 [ 65535 65536 ] [ true false ];
  intsUnsigned32 = accepts types.ints.u32 [ 4294967295 4294967296 ] [ true false ];
  intsPositive = accepts types.ints.positive [ 0 1 ] [ false true ];
  portAccepts = accepts types.port [ 0 65535 65536 "80" ] [ true true false false ];

  # --- texts

  strAcceptsNoPath = accepts types.str [ "a" ./. 1 drv ] [ true false false false ];
  strKeepsContext = {
    expr = builtins.hasContext (value types.str [ "${drv}" ]);
    expected = true;
    when = current;
  };
  singleLine = accepts types.singleLineStr [ "a" "a\n" "a\nb" "" ] [ true true false true ];
  nonEmpty = accepts types.nonEmptyStr [ "a" "" " \n" ] [ true false false ];
  matching = accepts (types.strMatching "[a-z]+") [ "ab" "aB" "ab\n" 1 ] [ true false false false ];
  matchingMerges = refuses (types.strMatching "[a-z]+") [ "a" "b" ];
  commas = merges types.commas [ "a" (mkBefore "b") ] "b,a";
  envVar = merges types.envVar [ "a" "b" ] "b:a";
  separated = merges (types.separatedString "-") [ "a" "b" ] "b-a";
  linesKeepNewlines = merges types.lines [ "a\n" "b" ] "b\na\n";
  passwd = accepts (types.passwdEntry types.str) [ "a" "a:b" "a\nb" ] [ true false false ];

  # --- files and packages

  pathAccepts = accepts types.path [ "/a" "a" ./. drv 1 { outPath = "/a"; } ] [ true false true true false true ];
  pathMergesEqual = merges types.path [ "/a" "/a" ] "/a";
  pathConflict = refuses types.path [ "/a" "/b" ];
  inStore = accepts types.pathInStore [ "/a" "${builtins.storeDir}/0lz9p8xhf89kb1c1kk6jxrzskaiygnlh-bash-5.2-p15.drv" builtins.storeDir ] [ false true false ];
  package = accepts types.package [ drv "${drv}" "/a" 1 ] [ true true false false ];
  packageMerges = {
    expr = (value types.package [ drv ]).name;
    expected = "a";
    when = current;
  };
  packageRefusesTwo = refuses types.package [ drv drv ];
  shellPackage = accepts types.shellPackage [ drv (drv // { shellPath = "/bin/a"; }) ] [ false true ];
  pkgs = accepts types.pkgs [ { } { _type = "pkgs"; } ] [ false true ];

  # --- choices

  boolByOr = merges types.boolByOr [ false true false ] true;
  boolConflict = refuses types.bool [ true false ];
  enumOfMixed = accepts (types.enum [ 1 "a" null ]) [ 1 "a" null "1" ] [ true true true false ];
  enumConflict = refuses (types.enum [ "a" "b" ]) [ "a" "b" ];
  nullOrDefaultNull = merges (types.nullOr types.int) [ (mkDefault null) 1 ] 1;
  nullOrLists = merges (types.nullOr (types.listOf types.int)) [ [ 1 ] [ 2 ] ] [ 2 1 ];
  nullOrSubmodule = merges (types.nullOr (types.submodule person)) [ { age = 1; } ] { age = 1; };
  eitherPrefersFirst = merges (types.either (types.listOf types.int) (types.listOf types.anything)) [ [ 1 ] [ 2 ] ] [ 2 1 ];
  eitherSecond = merges (types.either types.int (types.attrsOf types.int)) [ { a = 1; } { b = 2; } ] { a = 1; b = 2; };
  oneOfNone = refuses (types.oneOf [ types.int types.bool ]) [ "a" ];
  coercedInList = merges (types.listOf (types.coercedTo types.int toString types.str)) [ [ 1 "a" ] ] [ "1" "a" ];
  coercedMerges = merges (types.coercedTo types.str (x: [ x ]) (types.listOf types.str)) [ "a" [ "b" ] ] [ "b" "a" ];
  coercedRefuses = refuses (types.coercedTo types.int toString types.str) [ null ];
  attrTagChooses = merges (types.attrTag { a = option types.int; b = option types.str; }) [ { a = 1; } ] { a = 1; };
  attrTagRefusesTwo = refuses (types.attrTag { a = option types.int; b = option types.str; }) [ { a = 1; b = "x"; } ];
  attrTagRefusesBoth = refuses (types.attrTag { a = option types.int; b = option types.str; }) [ { a = 1; } { b = "x"; } ];
  attrTagMerges = merges (types.attrTag { a = option (types.listOf types.int); }) [ { a = [ 1 ]; } { a = [ 2 ]; } ] { a = [ 2 1 ]; };
  attrTagRefusesOther = refuses (types.attrTag { a = option types.int; }) [ { c = 1; } ];
  addCheckKeepsMerge = merges (types.addCheck (types.listOf types.int) (l: builtins.length l < 3)) [ [ 1 ] [ 2 ] ] [ 2 1 ];

  # --- lists and sets

  listOrder = merges (types.listOf types.int) [ (mkAfter [ 1 ]) [ 2 ] (mkBefore [ 3 ]) [ 4 ] ] [ 3 4 2 1 ];
  listMerge = merges (types.listOf types.int) [ (mkMerge [ [ 1 ] (mkBefore [ 0 ]) ]) [ 2 ] ] [ 0 2 1 ];
  listOfLists = merges (types.listOf (types.listOf types.int)) [ [ [ 1 ] ] [ [ 2 ] ] ] [ [ 2 ] [ 1 ] ];
  listEmptyDefault = {
    expr = (config [ { options.x = mkOption { type = types.listOf types.int; default = [ ]; }; } { x = mkIf false [ 1 ]; } ]).x;
    expected = [ ];
    when = current;
  };
  nonEmptyListMerges = merges (types.nonEmptyListOf types.int) [ [ 1 ] [ 2 ] ] [ 2 1 ];
  attrsMergesLater = merges types.attrs [ { a = 1; b = 1; } { b = 2; c.d = 1; } ] { a = 1; b = 1; c.d = 1; };
  attrsOfEmpty = merges (types.attrsOf types.int) [ { } ] { };
  attrsOfNested = merges (types.attrsOf (types.attrsOf types.int)) [ { a.x = 1; } { a.y = 2; b = { }; } ] { a = { x = 1; y = 2; }; b = { }; };
  attrsOfForceWhole = merges (types.attrsOf types.int) [ (mkForce { a = 1; }) { b = 2; } ] { a = 1; };
  attrsOfDefaultMember = merges (types.attrsOf types.int) [ { a = mkDefault 1; } { a = 2; } ] { a = 2; };
  attrsOfMergeInside = merges (types.attrsOf (types.listOf types.int)) [ { a = mkMerge [ [ 1 ] (mkBefore [ 0 ]) ]; } ] { a = [ 0 1 ]; };
  attrsOfRefusesList = refuses (types.attrsOf types.int) [ [ 1 ] ];
  attrsOfSubmoduleNames = {
    expr = mapAttrs (_: v: v.me) (value (types.attrsOf (types.submodule ({ name, ... }: { options.me = mkOption { default = name; }; }))) [ { a = { }; } { b = { }; } ]);
    expected = { a = "a"; b = "b"; };
    when = current;
  };
  lazyAttrsOfConditional = {
    expr = (value (types.lazyAttrsOf types.int) [ { a = mkIf false 1; } ]).a;
    expected = "fails";
    when = current;
  };
  lazyAttrsOfConditionalEmpty = {
    expr = (value (types.lazyAttrsOf (types.nullOr types.int)) [ { a = mkIf false 1; } ]).a;
    expected = null;
    when = current;
  };
  attrsWithPlaceholder = {
    expr = ((types.attrsWith { elemType = types.submodule person; placeholder = "who"; }).getSubOptions [ "x" ]).age.loc;
    expected = [ "x" "<who>" "age" ];
    when = types ? attrsWith;
  };
  attrsWithLazy = {
    expr = (value (types.attrsWith { elemType = types.int; lazy = true; }) [ { a = throw "read"; b = 1; } ]).b;
    expected = 1;
    when = types ? attrsWith;
  };

  # --- anything, functions, types, modules

  anythingDeep = merges types.anything [ { a.b = mkDefault 1; } { a = { b = 2; c = [ 1 ]; }; } ] { a = { b = 2; c = [ 1 ]; }; };
  anythingListsConflict = refuses types.anything [ { a = [ 1 ]; } { a = [ 2 ]; } ];
  anythingEqualLists = merges types.anything [ [ 1 ] [ 1 ] ] [ 1 ] // { when = newest; };
  anythingFunctions = {
    expr = (value types.anything [ (x: { a = x; }) (x: { b = x; }) ]) 1;
    expected = { a = 1; b = 1; };
    when = current;
  };
  anythingMixed = refuses types.anything [ { } [ ] ];
  functionToChecks = {
    expr = (value (types.functionTo types.int) [ (x: "a") ]) 1;
    expected = "fails";
    when = current;
  };
  functionToSubmodule = {
    expr = (value (types.functionTo (types.submodule person)) [ (x: { age = x; }) ]) 3;
    expected = { age = 3; };
    when = current;
  };
  rawKeeps = merges types.raw [ (mkIf true { a = mkForce 1; }) ] { a = mkForce 1; };
  uniqueMessage = refuses (types.unique { message = "only one"; } (types.listOf types.int)) [ [ 1 ] [ 2 ] ];
  uniqueOne = merges (types.unique { message = "only one"; } (types.listOf types.int)) [ [ 1 ] ] [ 1 ];
  uniqKeepsType = refuses (types.uniq types.int) [ "a" ];
  deferredTwice = {
    expr = config [ person (value types.deferredModule [ { age = mkDefault 1; } { age = 2; } ]) ];
    expected.age = 2;
    when = current;
  };
  deferredStatic = {
    expr = config [ (value (types.deferredModuleWith { staticModules = [ person ]; }) [ { age = 1; } ]) ];
    expected.age = 1;
    when = current;
  };
  deferredRefuses = refuses types.deferredModule [ 1 ];

  # --- two declarations

  agreeInt = agree types.int types.int 1 1;
  agreeLists = agree (types.listOf types.int) (types.listOf types.int) [ 1 ] [ 1 ];
  disagreeLists = disagree (types.listOf types.int) (types.listOf types.str) [ ];
  agreeNullOr = agree (types.nullOr types.int) (types.nullOr types.int) null null;
  agreeAttrsOf = agree (types.attrsOf types.int) (types.attrsOf types.int) { a = 1; } { a = 1; };
  disagreeAttrsOf = disagree (types.attrsOf types.int) (types.lazyAttrsOf types.int) { };
  agreeEither = agree (types.either types.int types.str) (types.either types.int types.str) "a" "a";
  disagreeEither = disagree (types.either types.int types.str) (types.either types.int types.bool) 1;
  agreeEnums = agree (types.enum [ "a" ]) (types.enum [ "b" ]) "b" "b";
  agreeNestedEnums = agree (types.listOf (types.enum [ "a" ])) (types.listOf (types.enum [ "b" ])) [ "a" "b" ] [ "a" "b" ];
  agreeSeparators = agree types.lines types.lines "a" "a";
  disagreeSeparators = disagree types.lines types.commas "a";
  agreeMatching = agree (types.strMatching "a") (types.strMatching "a") "a" "a" // { when = newest; };
  disagreeMatching = disagree (types.strMatching "a") (types.strMatching "b") "a";
  agreeDeferred = agree types.deferredModule types.deferredModule { } { imports = [ { _file = "<unknown-file>, via option x"; imports = [ { } ]; } ]; };
  agreeSubmodulesOfSet = agree
    (types.attrsOf (types.submodule { options.a = option types.int; }))
    (types.attrsOf (types.submodule { options.b = mkOption { default = 2; }; }))
    { m.a = 1; }
    { m = { a = 1; b = 2; }; };

  # --- what they are called

  calledInt = called types.int "signed integer";
  calledFloat = called types.float "floating point number";
  calledNumber = called types.number "signed integer or floating point number";
  calledPositive = called types.ints.positive "positive integer, meaning >0";
  calledUnsigned = called types.ints.unsigned "unsigned integer, meaning >=0";
  calledBetween = called (types.ints.between 1 3) "integer between 1 and 3 (both inclusive)";
  calledU8 = called types.ints.u8 "8 bit unsigned integer; between 0 and 255 (both inclusive)";
  calledS8 = called types.ints.s8 "8 bit signed integer; between -128 and 127 (both inclusive)";
  calledNonEmpty = called types.nonEmptyStr "non-empty string";
  calledMatching = called (types.strMatching "a+") "string matching the pattern a+";
  calledSingleLine = called types.singleLineStr "(optionally newline-terminated) single-line string";
  calledLines = called types.lines "strings concatenated with \"\\n\"";
  calledCommas = called types.commas "strings concatenated with \",\"";
  calledPath = called types.path "absolute path" // { when = newest; };
  calledInStore = called types.pathInStore "path in the Nix store";
  calledPackage = called types.package "package";
  calledEnumOne = called (types.enum [ "a" ]) "value \"a\" (singular enum)";
  calledEnumNone = called (types.enum [ ]) "impossible (empty enum)";
  calledEnumMixed = called (types.enum [ 1 true "a" ]) "one of 1, true, \"a\"";
  calledNullOrEnum = called (types.nullOr (types.enum [ "a" "b" ])) "null or one of \"a\", \"b\"";
  calledNullOrEither = called (types.nullOr (types.either types.int types.str)) "null or signed integer or string";
  calledListOfNullOr = called (types.listOf (types.nullOr types.int)) "list of (null or signed integer)";
  calledAttrsOfList = called (types.attrsOf (types.listOf types.int)) "attribute set of list of signed integer";
  calledLazy = called (types.lazyAttrsOf types.int) "lazy attribute set of signed integer";
  calledNonEmptyList = called (types.nonEmptyListOf types.int) "non-empty (list of signed integer)";
  calledFunction = called (types.functionTo types.int) "function that evaluates to a(n) signed integer";
  calledCoerced = called (types.coercedTo types.int toString types.str) "string or signed integer convertible to it";
  calledEitherOfLists = called (types.either (types.listOf types.int) types.str) "(list of signed integer) or string";
  calledEitherThenList = called (types.either types.str (types.listOf types.int)) "string or list of signed integer";
  calledUniq = called (types.uniq types.int) "signed integer";
  calledFreeform = called (types.submodule { freeformType = types.attrsOf types.int; }) "open submodule of attribute set of signed integer" // { when = newest; };
  calledPasswd = called (types.passwdEntry types.str) "string, not containing newlines or colons";
  calledAnything = called types.anything "anything";
  calledRaw = called types.raw "raw value";
  calledUnspecified = called types.unspecified "unspecified value";
  calledBoolByOr = called types.boolByOr "boolean (merged using or)";
}
