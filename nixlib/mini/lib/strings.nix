# Functions of strings.
{ lib }:
let
  inherit (builtins)
    stringLength
    substring
    replaceStrings
    match
    split
    isList
    isString
    concatStringsSep
    toJSON
    ;
in
rec {
  inherit (builtins)
    stringLength
    substring
    replaceStrings
    match
    split
    isString
    concatStringsSep
    fromJSON
    toJSON
    toString
    unsafeDiscardStringContext
    hashString
    fromTOML
    parseDrvName
    compareVersions
    splitVersion
    ;

  lowerChars = stringToCharacters "abcdefghijklmnopqrstuvwxyz";
  upperChars = stringToCharacters "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  toLower = replaceStrings upperChars lowerChars;
  toUpper = replaceStrings lowerChars upperChars;
  toSentenceCase = s: toUpper (substring 0 1 s) + toLower (substring 1 (-1) s);

  concatStrings = concatStringsSep "";
  concatMapStrings = f: xs: concatStrings (map f xs);
  concatImapStrings = f: xs: concatStrings (lib.imap1 f xs);
  concatMapStringsSep =
    sep: f: xs:
    concatStringsSep sep (map f xs);
  concatImapStringsSep =
    sep: f: xs:
    concatStringsSep sep (lib.imap1 f xs);
  concatMapAttrsStringSep =
    sep: f: attrs:
    concatStringsSep sep (lib.mapAttrsToList f attrs);
  concatLines = concatMapStrings (s: s + "\n");
  intersperse = sep: xs: if xs == [ ] then [ ] else lib.tail (lib.concatMap (x: [ sep x ]) xs);
  optionalString = cond: s: if cond then s else "";
  replicate = n: s: concatStrings (lib.lists.replicate n s);
  stringToCharacters = s: lib.genList (i: substring i 1 s) (stringLength s);
  stringAsChars = f: s: concatStrings (map f (stringToCharacters s));

  hasPrefix = p: s: substring 0 (stringLength p) s == p;
  hasSuffix =
    x: s:
    let
      n = stringLength s - stringLength x;
    in
    n >= 0 && substring n (-1) s == x;
  hasInfix = x: s: x == "" || builtins.length (builtins.split (escapeRegex x) "${s}") > 1;
  removePrefix = p: s: if hasPrefix p s then substring (stringLength p) (-1) s else s;
  removeSuffix = x: s: if hasSuffix x s then substring 0 (stringLength s - stringLength x) s else s;
  splitString =
    sep: s:
    map (addContextFrom s) (builtins.filter isString (split (escapeRegex (toString sep)) (toString s)));
  addContextFrom = src: target: substring 0 0 src + target;
  trim = trimWith {
    start = true;
    end = true;
  };
  trimWith =
    {
      start ? false,
      end ? false,
    }:
    s:
    let
      blank = " \t\r\n";
      re =
        if start && end then
          "[${blank}]*(.*[^${blank}])[${blank}]*"
        else if start then
          "[${blank}]*(.*)"
        else if end then
          "(.*[^${blank}])[${blank}]*"
        else
          "(.*)";
      m = match re s;
    in
    if m == null then "" else builtins.head m;

  escape = chars: replaceStrings chars (map (c: "\\${c}") chars);
  escapeRegex = escape (stringToCharacters "\\[{()^$?*+|.");
  escapeShellArg =
    arg:
    let
      s = toString arg;
    in
    if match "[[:alnum:],._+:@%/-]+" s == null then "'${replaceStrings [ "'" ] [ "'\\''" ] s}'" else s;
  escapeShellArgs = concatMapStringsSep " " escapeShellArg;
  isValidPosixName = name: match "[a-zA-Z_][a-zA-Z0-9_]*" name != null;
  toShellVar =
    name: v:
    lib.throwIfNot (isValidPosixName name) "toShellVar: ${name} is not a valid shell variable name" "${name}=${escapeShellArg v}";
  toShellVars = vars: concatStringsSep "\n" (lib.mapAttrsToList toShellVar vars);
  escapeNixString = s: escape [ "$" ] (toJSON s);
  escapeNixIdentifier = s: if match "[a-zA-Z_][a-zA-Z0-9_'-]*" s != null then s else escapeNixString s;
  escapeXML = replaceStrings [ "\"" "'" "<" ">" "&" ] [ "&quot;" "&apos;" "&lt;" "&gt;" "&amp;" ];

  toInt =
    s:
    let
      m = match "[[:space:]]*(-?[[:digit:]]+)[[:space:]]*" s;
    in
    if m == null then throw "toInt: Could not convert ${escapeNixString s} to int." else builtins.fromJSON (builtins.head m);
  toIntBase10 = s: builtins.fromJSON (builtins.head (match "[[:space:]]*0*([[:digit:]]+)[[:space:]]*" s));
  fixedWidthString =
    width: filler: s:
    let
      n = stringLength s;
    in
    if n > width then
      throw "fixedWidthString: requested string length (${toString width}) must not be shorter than actual length (${toString n})"
    else if n == width then
      s
    else
      filler + fixedWidthString (width - stringLength filler) filler s;
  fixedWidthNumber = width: n: fixedWidthString width "0" (toString n);

  makeSearchPath =
    sub: paths:
    concatStringsSep ":" (map (p: "${p}/${sub}") (builtins.filter (p: p != null) paths));
  makeBinPath = paths: makeSearchPath "bin" (map lib.getBin paths);
  makeLibraryPath = paths: makeSearchPath "lib" (map lib.getLib paths);
  getName = x: (parse x).name or x.pname;
  getVersion = x: (parse x).version or x.version;
  parse = x: if isString x then builtins.parseDrvName x else if x ? pname then { } else builtins.parseDrvName x.name;
  nameFromURL = url: sep: builtins.head (splitString sep (lib.last (splitString "/" url)));
  versionOlder = a: b: builtins.compareVersions b a == 1;
  versionAtLeast = a: b: !versionOlder a b;
  sanitizeDerivationName =
    s:
    let
      clean = concatMapStrings (p: if isList p then "-" else p) (
        split "[^[:alnum:]+._?=-]+" (builtins.unsafeDiscardStringContext (toString s))
      );
    in
    if clean == "" then "unknown" else removePrefix "." (substring 0 207 clean);

  isConvertibleWithToString = v: isList v || isStringLike v || builtins.elem (builtins.typeOf v) [ "null" "int" "float" "bool" ];
  isStringLike = v: isString v || builtins.isPath v || v ? outPath || v ? __toString;
  isCoercibleToString = v: isStringLike v;
  isStorePath = v: isStringLike v && builtins.substring 0 1 "${toString v}" == "/" && dirOf (toString v) == builtins.storeDir;
  commonPrefixLength =
    a: b:
    let
      n = lib.min (stringLength a) (stringLength b);
      go = i: if i >= n || substring i 1 a != substring i 1 b then i else go (i + 1);
    in
    go 0;
  levenshtein =
    a: b:
    let
      # One row of the table after the other: row i holds the distances of the
      # first i characters of a to every beginning of b.
      bs = stringToCharacters b;
      next =
        row: ca:
        (builtins.foldl'
          (
            acc: cb:
            let
              cell = lib.min (lib.min (acc.left + 1) (builtins.elemAt row (acc.i + 1) + 1)) (
                builtins.elemAt row acc.i + (if ca == cb then 0 else 1)
              );
            in
            {
              left = cell;
              i = acc.i + 1;
              out = acc.out ++ [ cell ];
            }
          )
          {
            left = builtins.head row + 1;
            i = 0;
            out = [ (builtins.head row + 1) ];
          }
          bs
        ).out;
    in
    lib.last (builtins.foldl' next (lib.range 0 (stringLength b)) (stringToCharacters a));
}
