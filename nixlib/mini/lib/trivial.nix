# Functions about nothing in particular.
{ lib }:
let
  inherit (builtins)
    fromJSON
    readFile
    trace
    ;
in
rec {
  inherit (builtins)
    pathExists
    readFile
    isBool
    isFloat
    isInt
    isPath
    seq
    deepSeq
    genericClosure
    addErrorContext
    unsafeGetAttrPos
    lessThan
    add
    sub
    ;

  version = "24.11-mini";
  release = "24.11";
  trivialRelease = release;
  versionSuffix = "-mini";
  inPureEvalMode = !(builtins ? currentSystem);
  isInOldestRelease = _: false;
  oldestSupportedRelease = 2411;

  id = x: x;
  const = x: _: x;
  flip =
    f: a: b:
    f b a;
  pipe = builtins.foldl' (x: f: f x);
  concat = a: b: a ++ b;
  "or" = a: b: a || b;
  and = a: b: a && b;
  xor = a: b: a != b;
  boolToString = b: if b then "true" else "false";
  mergeAttrs = a: b: a // b;
  defaultTo = d: v: if v == null then d else v;
  mapNullable = f: a: if a == null then a else f a;

  min = a: b: if a < b then a else b;
  max = a: b: if a > b then a else b;
  mod = a: b: a - b * (a / b);
  compare =
    a: b:
    if a < b then
      -1
    else if b < a then
      1
    else
      0;

  importJSON = file: fromJSON (readFile file);
  importTOML = file: builtins.fromTOML (readFile file);

  # A functor's arguments are known only if it says so itself.
  isFunction = f: builtins.isFunction f || (f ? __functor && lib.isFunction (f.__functor f));
  functionArgs =
    f:
    if f ? __functor then
      f.__functionArgs or (lib.functionArgs (f.__functor f))
    else
      builtins.functionArgs f;
  setFunctionArgs = f: args: {
    __functor = _: f;
    __functionArgs = args;
  };
  toFunction = v: if lib.isFunction v then v else _: v;

  warn = msg: v: trace "evaluation warning: ${msg}" v;
  warnIf = cond: msg: if cond then warn msg else id;
  warnIfNot = cond: msg: if cond then id else warn msg;
  throwIf = cond: msg: if cond then throw msg else id;
  throwIfNot = cond: msg: if cond then id else throw msg;
  assertMsg = cond: msg: cond || throw msg;
  assertOneOf =
    name: v: valid:
    assertMsg (builtins.elem v valid) "${name} must be one of ${lib.generators.toPretty { } valid}, but is: ${
      lib.generators.toPretty { } v
    }";

  fix =
    f:
    let
      x = f x;
    in
    x;
  extends =
    overlay: f: final:
    let
      prev = f final;
    in
    prev // overlay final prev;
  composeExtensions =
    f: g: final: prev:
    let
      first = f final prev;
    in
    first // g final (prev // first);
  composeManyExtensions = lib.foldr composeExtensions (_: _: { });

  traceVal = v: trace v v;
  traceValSeq = v: trace (builtins.deepSeq v v) v;
}
