# The module systems of all ages behind one face: what newer ones have and
# older ones lack. The oldest that is tried is nixpkgs of 2015.
{ lib }:
let
  inherit (lib) types;
  between =
    lowest: highest: description:
    types.addCheck types.int (n: n >= lowest && n <= highest) // { inherit description; };
in
{
  # evalModules with arguments for modules.
  evalModules =
    { modules, specialArgs }:
    if builtins.functionArgs lib.evalModules ? specialArgs then
      lib.evalModules { inherit modules specialArgs; }
    else
      lib.evalModules {
        modules = map (import ./bind.nix specialArgs) modules;
        args = specialArgs;
      };

  # Nix code as an example or default.
  literal = lib.literalExpression or lib.literalExample or (text: text);

  # Words about a default, in Markdown.
  prose = lib.literalMD or (text: text);

  # Marks an option that modules only read, where mkOption knows that.
  readOnly =
    let
      accepts = builtins.functionArgs lib.mkOption;
    in
    if accepts == { } || accepts ? readOnly then { readOnly = true; } else { };

  types = {
    port = types.port or (between 0 65535 "16 bit unsigned integer; between 0 and 65535 (both inclusive)");
    positive = types.ints.positive or (between 1 2147483647 "positive integer, meaning >0");
    unsigned = types.ints.unsigned or (between 0 2147483647 "unsigned integer, meaning >=0");
    raw = types.raw or types.unspecified;
    host = types.addCheck types.str (h: builtins.match "[^][@/:[:space:]]+|[0-9a-fA-F.:]+(%[^][@/[:space:]]+)?" h != null) // {
      description = "host name or IP address, without user (deploy.user), port (deploy.port) or brackets";
    };
    absolutePath = types.addCheck types.str (s: builtins.match "/.*" s != null) // {
      description = "absolute path";
    };
    nonEmptyListOf = types.nonEmptyListOf or types.listOf;

    # A submodule whose definitions are modules, `imports` and all.
    node =
      specialArgs: modules:
      if types ? submoduleWith then
        types.submoduleWith { inherit modules specialArgs; }
      else
        types.submodule modules;

    # Modules, kept as modules: their merge is one module that imports them all.
    module = (types.mkOptionType or lib.mkOptionType) {
      name = "module";
      check = x: builtins.isAttrs x || builtins.isFunction x || builtins.isPath x || builtins.isString x;
      merge = _: defs: {
        imports = map (def: {
          _file = def.file;
          imports = [ def.value ];
        }) defs;
      };
    };
  };
}
