# Types of single values.
{ lib }:
let
  inherit (builtins)
    elem
    head
    isAttrs
    isBool
    isFloat
    isInt
    isString
    length
    match
    ;
  inherit (lib)
    concatMapStringsSep
    concatStringsSep
    getValues
    mergeEqualOption
    mergeOneOption
    showOption
    ;
  make = import ./make.nix { inherit lib; };
  inherit (make) defaultFunctor isOptionType isPathLike mkOptionType nounLike;
  inherit (lib.types) addCheck either lazyAttrsOf;

  # The text of a value in a type's description.
  show =
    v:
    if isString v then
      "\"${v}\""
    else if isBool v then
      lib.boolToString v
    else if isInt v then
      toString v
    else
      "<${builtins.typeOf v}>";

  simple =
    name: description: check:
    mkOptionType {
      inherit name description check;
      descriptionClass = "noun";
      merge = mergeEqualOption;
    };

  separated =
    sep: name: description:
    mkOptionType {
      inherit name description;
      descriptionClass = "noun";
      check = isString;
      merge = _: defs: concatStringsSep sep (getValues defs);
      functor = defaultFunctor name // {
        payload = { inherit sep; };
        type = payload: lib.types.separatedString payload.sep;
        binOp = a: b: if a == b then a else null;
      };
    };

  intBetween =
    name: lowest: highest: description:
    addCheck lib.types.int (x: x >= lowest && x <= highest)
    // {
      inherit name;
      description = "integer between ${toString lowest} and ${toString highest} (both inclusive)";
    }
    // lib.optionalAttrs (description != null) { inherit description; };
in
rec {
  raw = mkOptionType {
    name = "raw";
    description = "raw value";
    descriptionClass = "noun";
    check = _: true;
    merge = mergeOneOption;
  };

  unspecified = mkOptionType {
    name = "unspecified";
    description = "unspecified value";
    descriptionClass = "noun";
  };

  anything = mkOptionType {
    name = "anything";
    description = "anything";
    descriptionClass = "noun";
    check = _: true;
    merge =
      loc: defs:
      let
        kind =
          v:
          if lib.isStringLike v && isAttrs v then
            "stringCoercibleSet"
          else
            builtins.typeOf v;
        kinds = lib.unique (map (def: kind def.value) defs);
        mergers = {
          set = (lazyAttrsOf anything).merge;
          lambda =
            loc: defs: arg:
            anything.merge (loc ++ [ "<function body>" ]) (
              map (def: { inherit (def) file; value = def.value arg; }) defs
            );
        };
      in
      if length kinds > 1 then
        mergeEqualOption loc defs
      else
        (mergers.${head kinds} or mergeEqualOption) loc defs;
  };

  # --- single values

  bool = simple "bool" "boolean" isBool;
  boolByOr = mkOptionType {
    name = "boolByOr";
    description = "boolean (merged using or)";
    descriptionClass = "noun";
    check = isBool;
    merge = _: defs: builtins.any (def: def.value) defs;
  };
  int = simple "int" "signed integer" isInt;
  float = simple "float" "floating point number" isFloat;
  number = either int float;
  numbers = {
    between =
      lowest: highest:
      addCheck number (x: x >= lowest && x <= highest)
      // {
        name = "numberBetween";
        description = "integer or floating point number between ${toString lowest} and ${toString highest} (both inclusive)";
      };
    nonnegative = addCheck number (x: x >= 0) // {
      name = "numberNonnegative";
      description = "nonnegative integer or floating point number, meaning >=0";
    };
    positive = addCheck number (x: x > 0) // {
      name = "numberPositive";
      description = "positive integer or floating point number, meaning >0";
    };
  };

  ints =
    let
      unsignedOf = bits: top: intBetween "unsignedInt${toString bits}" 0 top "${toString bits} bit unsigned integer; between 0 and ${toString top} (both inclusive)";
      signedOf =
        bits: half:
        intBetween "signedInt${toString bits}" (0 - half) (half - 1)
          "${toString bits} bit signed integer; between ${toString (0 - half)} and ${toString (half - 1)} (both inclusive)";
    in
    {
      between = lowest: highest: intBetween "intBetween" lowest highest null;
      unsigned = addCheck int (x: x >= 0) // {
        name = "unsignedInt";
        description = "unsigned integer, meaning >=0";
        descriptionClass = "nonRestrictiveClause";
      };
      positive = addCheck int (x: x > 0) // {
        name = "positiveInt";
        description = "positive integer, meaning >0";
        descriptionClass = "nonRestrictiveClause";
      };
      u8 = unsignedOf 8 255;
      u16 = unsignedOf 16 65535;
      u32 = unsignedOf 32 4294967295;
      s8 = signedOf 8 128;
      s16 = signedOf 16 32768;
      s32 = signedOf 32 2147483648;
    };
  port = intBetween "unsignedInt16" 0 65535 "16 bit unsigned integer; between 0 and 65535 (both inclusive)";

  str = simple "str" "string" isString;
  singleLineStr = mkOptionType {
    name = "singleLineStr";
    description = "(optionally newline-terminated) single-line string";
    descriptionClass = "noun";
    check = x: isString x && match "[^\n\r]*\n?" x != null;
    merge = loc: defs: lib.removeSuffix "\n" (mergeEqualOption loc defs);
  };
  nonEmptyStr = simple "nonEmptyStr" "non-empty string" (x: isString x && match "[ \t\n]*" x == null);
  strMatching =
    pattern:
    mkOptionType {
      name = "strMatching ${lib.escapeNixString pattern}";
      description = "string matching the pattern ${pattern}";
      descriptionClass = "noun";
      check = x: isString x && match pattern x != null;
      merge = mergeEqualOption;
      functor = defaultFunctor "strMatching" // {
        type = payload: strMatching payload.pattern;
        payload = { inherit pattern; };
        binOp = a: b: if a == b then a else null;
      };
    };
  passwdEntry =
    entryType:
    addCheck entryType (s: !(lib.hasInfix ":" s || lib.hasInfix "\n" s))
    // {
      name = "passwdEntry ${entryType.name}";
      description = "${nounLike entryType}, not containing newlines or colons";
      descriptionClass = "nonRestrictiveClause";
    };
  separatedString = sep: separated sep "separatedString" (
    if sep == "" then "Concatenated string" else "strings concatenated with ${builtins.toJSON sep}"
  );
  lines = separated "\n" "separatedString" "strings concatenated with \"\\n\"";
  commas = separated "," "separatedString" "strings concatenated with \",\"";
  envVar = separated ":" "separatedString" "strings concatenated with \":\"";

  path = mkOptionType {
    name = "path";
    description = "absolute path";
    descriptionClass = "noun";
    check = isPathLike;
    merge = mergeEqualOption;
  };
  pathInStore = mkOptionType {
    name = "pathInStore";
    description = "path in the Nix store";
    descriptionClass = "noun";
    check = x: isPathLike x && lib.hasPrefix "${builtins.storeDir}/" (toString x);
    merge = mergeEqualOption;
  };
  package = mkOptionType {
    name = "package";
    description = "package";
    descriptionClass = "noun";
    check = x: lib.isDerivation x || (lib.isStringLike x && lib.isStorePath x);
    merge =
      loc: defs:
      let
        p = mergeOneOption loc defs;
      in
      if builtins.isPath p || (isString p && !builtins.hasContext p) then lib.toDerivation p else p;
  };
  shellPackage = package // {
    check = x: lib.isDerivation x && x ? shellPath;
  };
  pkgs = simple "pkgs" "Nixpkgs package set" (x: isAttrs x && (x._type or null) == "pkgs");
  optionType = mkOptionType {
    name = "optionType";
    description = "optionType";
    descriptionClass = "noun";
    check = isOptionType;
    merge =
      loc: defs:
      if length defs == 1 then
        (head defs).value
      else
        builtins.foldl' (
          a: b:
          let
            m = a.typeMerge b.functor;
          in
          if m == null then throw "Cannot merge the option types of `${showOption loc}'." else m
        ) (head defs).value (map (d: d.value) (builtins.tail defs));
  };

  enum =
    values:
    mkOptionType {
      name = "enum";
      description =
        if values == [ ] then
          "impossible (empty enum)"
        else if length values == 1 then
          "value ${show (head values)} (singular enum)"
        else
          "one of ${concatMapStringsSep ", " show values}";
      descriptionClass = if length values < 2 then "noun" else "conjunction";
      check = x: elem x values;
      merge = mergeEqualOption;
      functor = defaultFunctor "enum" // {
        type = payload: enum payload.values;
        payload = { inherit values; };
        binOp = a: b: { values = lib.unique (a.values ++ b.values); };
      };
    };
}
