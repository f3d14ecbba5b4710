# From Nix values to text.
{ lib }:
let
  inherit (lib) isDerivation isFunction escapeNixIdentifier concatStringsSep;
in
rec {
  # `depthLimit` replaces what lies deeper by `‹depth›`, so that error messages
  # never print (or evaluate) a whole configuration.
  withRecursion =
    {
      depthLimit,
      throwOnDepthLimit ? true,
    }:
    let
      go =
        depth: v:
        if depth > depthLimit then
          if throwOnDepthLimit then
            throw "Exceeded maximum eval-depth limit of ${toString depthLimit} while trying to evaluate with `generators.withRecursion'!"
          else
            "<unevaluated>"
        else if isDerivation v then
          v
        else if builtins.isAttrs v then
          builtins.mapAttrs (n: x: if lib.hasPrefix "__" n then x else go (depth + 1) x) v
        else if builtins.isList v then
          map (go (depth + 1)) v
        else
          v;
    in
    go 0;

  toPretty =
    {
      multiline ? true,
      indent ? "",
      allowPrettyValues ? false,
    }:
    let
      go =
        ind: v:
        let
          open = if multiline then "\n${ind}  " else " ";
          close = if multiline then "\n${ind}" else " ";
          inner = go (ind + "  ");
        in
        if v == null then
          "null"
        else if builtins.isBool v then
          lib.boolToString v
        else if builtins.isString v then
          str ind v
        else if builtins.isPath v then
          toString v
        else if builtins.isInt v || builtins.isFloat v then
          builtins.toJSON v
        else if builtins.isList v then
          if v == [ ] then "[ ]" else "[${open}${lib.concatMapStringsSep open inner v}${close}]"
        else if isFunction v then
          let
            args = lib.functionArgs v;
            shown = concatStringsSep ", " (lib.mapAttrsToList (n: opt: if opt then "${n}?" else n) args);
          in
          if args == { } then "<function>" else "<function, args: {${shown}}>"
        else if builtins.isAttrs v then
          if allowPrettyValues && v ? __pretty && v ? val then
            v.__pretty v.val
          else if v == { } then
            "{ }"
          else if isDerivation v then
            "<derivation ${v.name or "???"}>"
          else
            "{${open}${concatStringsSep open (lib.mapAttrsToList (n: x: "${escapeNixIdentifier n} = ${inner x};") v)}${close}}"
        else
          abort "generators.toPretty: should never happen (v = ${builtins.typeOf v})";

      str =
        ind: s:
        let
          lines = lib.splitString "\n" s;
          esc = lib.replaceStrings [ "\\" "\"" "\${" ] [ "\\\\" "\\\"" "\\\${" ];
          escaped = map (lib.replaceStrings [ "\${" "''" ] [ "''\${" "'''" ]) lines;
          start = "\n${ind}  ";
          # The quotes after a last newline stand on a line of their own.
          end = if lib.last lines == "" then "\n${ind}" else start + lib.last escaped;
        in
        if multiline && builtins.length lines > 1 then
          "''${start}${concatStringsSep start (lib.init escaped)}${end}''"
        else
          "\"${lib.replaceStrings [ "\n" ] [ "\\n" ] (esc s)}\"";
    in
    go indent;

  toJSON = _: builtins.toJSON;
  mkValueStringDefault =
    _: v:
    if builtins.isBool v then
      lib.boolToString v
    else if v == null then
      "null"
    else
      toString v;
  mkKeyValueDefault =
    {
      mkValueString ? mkValueStringDefault { },
    }:
    sep: k: v:
    "${lib.escape [ sep ] k}${sep}${mkValueString v}";
  toKeyValue =
    {
      mkKeyValue ? mkKeyValueDefault { } "=",
      listsAsDuplicateKeys ? false,
      indent ? "",
    }:
    attrs:
    let
      line = k: v: "${indent}${mkKeyValue k v}\n";
      lines = k: v: if listsAsDuplicateKeys && builtins.isList v then map (line k) v else [ (line k v) ];
    in
    lib.concatStrings (lib.concatLists (lib.mapAttrsToList lines attrs));
  toINI =
    {
      mkSectionName ? lib.id,
      mkKeyValue ? mkKeyValueDefault { } "=",
      listsAsDuplicateKeys ? false,
    }:
    sections:
    concatStringsSep "\n" (
      lib.mapAttrsToList (
        name: attrs: "[${mkSectionName name}]\n${toKeyValue { inherit mkKeyValue listsAsDuplicateKeys; } attrs}"
      ) sections
    );
}
