# Declaring options, showing them and their definitions, and merging
# definitions without knowing their type.
{ lib }:
let
  inherit (lib)
    concatMapStringsSep
    concatStringsSep
    escapeNixIdentifier
    isAttrs
    length
    head
    tail
    last
    ;
in
rec {
  isOption = x: x._type or "" == "option";

  mkOption = attrs: attrs // { _type = "option"; };

  mkEnableOption =
    name:
    mkOption {
      default = false;
      example = true;
      description = "Whether to enable ${name}.";
      type = lib.types.bool;
    };

  # As in nixpkgs, the default is looked up below `pkgs` by path, and its name
  # stands in the manual.
  mkPackageOption =
    pkgs: name:
    {
      nullable ? false,
      default ? name,
      example ? null,
      extraDescription ? "",
      pkgsText ? "pkgs",
    }:
    let
      name' = if builtins.isList name then last name else name;
      path = lib.toList default;
      text = p: "${pkgsText}.${concatStringsSep "." (lib.toList p)}";
    in
    mkOption (
      {
        type = (if nullable then lib.types.nullOr else lib.id) lib.types.package;
        description = "The ${name'} package to use." + (if extraDescription == "" then "" else " " + extraDescription);
      }
      // (
        if default == null then
          { default = null; }
        else
          {
            default = lib.attrByPath path (throw "${concatStringsSep "." path} cannot be found in ${pkgsText}") pkgs;
            defaultText = lib.literalExpression (text path);
          }
      )
      // lib.optionalAttrs (example != null) { example = lib.literalExpression (text example); }
    );

  mkSinkUndeclaredOptions =
    attrs:
    mkOption (
      {
        internal = true;
        visible = false;
        default = false;
        description = "Sink for option definitions without a declaration.";
        type = lib.mkOptionType {
          name = "sink";
          check = _: true;
          merge = _: _: false;
        };
        apply = _: throw "Option value is not readable because the option is not declared.";
      }
      // attrs
    );

  literalExpression = text: {
    _type = "literalExpression";
    inherit text;
  };
  literalExample = literalExpression;
  literalMD = text: {
    _type = "literalMD";
    inherit text;
  };
  mdDoc = text: text;

  # a.b."c d".*
  showOption =
    parts:
    let
      show = part: if builtins.match "[*]|<.*>" part != null then part else escapeNixIdentifier part;
    in
    concatMapStringsSep "." show parts;
  showFiles = files: concatStringsSep " and " (map (f: "`${f}'") files);

  # The definitions of an error message, one a line, never deeper than a
  # reader wants and never failing themselves.
  showDefs =
    defs:
    lib.concatMapStrings (
      def:
      let
        text = builtins.tryEval (
          lib.generators.toPretty { } (
            lib.generators.withRecursion {
              depthLimit = 10;
              throwOnDepthLimit = false;
            } def.value
          )
        );
        lines = lib.splitString "\n" text.value;
        cut = concatStringsSep "\n    " (lib.take 5 lines ++ lib.optional (length lines > 5) "...");
        shown =
          if !text.success then
            ""
          else if length lines > 1 then
            ":\n    ${cut}"
          else
            ": ${text.value}";
      in
      "\n- In `${toString def.file}'${shown}"
    ) defs;

  getValues = map (x: x.value);
  getFiles = map (x: x.file);

  # --- merging without a type

  mergeDefaultOption =
    loc: defs:
    let
      list = getValues defs;
      first = head list;
      rest = tail list;
    in
    if length list == 1 then
      first
    else if lib.all lib.isFunction list then
      x: mergeDefaultOption loc (map (f: f // { value = f.value x; }) defs)
    else if lib.all builtins.isList list then
      lib.concatLists list
    else if lib.all isAttrs list then
      builtins.foldl' lib.mergeAttrs { } list
    else if lib.all builtins.isBool list then
      builtins.foldl' lib."or" false list
    else if lib.all builtins.isString list then
      lib.concatStrings list
    else if lib.all builtins.isInt list && lib.all (x: x == first) rest then
      first
    else
      throw "Cannot merge definitions of `${showOption loc}'. Definition values:${showDefs defs}";

  mergeOneOption = mergeUniqueOption { message = ""; };

  mergeUniqueOption =
    args@{
      message,
      merge ? null,
    }:
    loc: defs:
    if length defs == 1 then
      if merge == null then (head defs).value else merge loc defs
    else
      throw "The option `${showOption loc}' is defined multiple times while it's expected to be unique.${
        if message == "" then "" else "\n" + message
      }\nDefinition values:${showDefs defs}\nUse `lib.mkForce value` or `lib.mkDefault value` to change the priority on any of these definitions.";

  mergeEqualOption =
    loc: defs:
    if defs == [ ] then
      abort "This case should never happen."
    else
      (builtins.foldl' (
        first: def:
        if def.value != first.value then
          throw "The option `${showOption loc}' has conflicting definition values:${
            showDefs [
              first
              def
            ]
          }\nUse `lib.mkForce value` or `lib.mkDefault value` to change the priority on any of these definitions."
        else
          first
      ) (head defs) (tail defs)).value;

  # --- for manuals

  scrubOptionValue = lib.id;
  renderOptionValue =
    v:
    if v ? _type && v ? text then
      v
    else
      literalExpression (
        lib.generators.toPretty {
          multiline = true;
          allowPrettyValues = true;
        } v
      );

  optionAttrSetToDocList = optionAttrSetToDocList' [ ];
  optionAttrSetToDocList' =
    _: options:
    lib.concatMap (
      opt:
      let
        name = showOption opt.loc;
        doc =
          {
            inherit (opt) loc;
            inherit name;
            description = opt.description or null;
            declarations = builtins.filter (f: f != lib.unknownModule) opt.declarations;
            internal = opt.internal or false;
            visible = if opt.visible or true == "shallow" then true else opt.visible or true;
            readOnly = opt.readOnly or false;
            type = opt.type.description or "unspecified";
          }
          // lib.optionalAttrs (opt ? example) { example = renderOptionValue opt.example; }
          // lib.optionalAttrs (opt ? defaultText || opt ? default) {
            default = builtins.addErrorContext "while evaluating the default value of option `${name}`" (
              renderOptionValue (opt.defaultText or opt.default)
            );
          };
        sub = opt.type.getSubOptions opt.loc;
        subVisible = opt.visible or true != "shallow" && sub != { } && (opt.visible or true) != false;
      in
      [ doc ] ++ lib.optionals subVisible (optionAttrSetToDocList' opt.loc sub)
    ) (lib.collect isOption (removeAttrs options [ "_module" ]));
}
