# Shell fragments that run at every switch.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;

  fragment = types.submodule {
    options = {
      text = mkOption {
        type = types.lines;
        description = "The shell commands.";
      };
      deps = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [ "etc" ];
        description = "Fragments that must run before.";
      };
    };
  };

  all = config.system.activationScripts;

  # Depth first: whatever a fragment depends on, then the fragment.
  visit =
    state: name:
    if builtins.elem name state.done then
      state
    else if builtins.elem name state.open then
      throw "system.activationScripts: '${name}' depends on itself"
    else if !(all ? ${name}) then
      throw "system.activationScripts: there is no '${name}' to depend on; there are: ${toString (builtins.attrNames all)}"
    else
      let
        after = builtins.foldl' visit (state // { open = state.open ++ [ name ]; }) all.${name}.deps;
      in
      after // { done = after.done ++ [ name ]; };
  order = (builtins.foldl' visit { done = [ ]; open = [ ]; } (builtins.attrNames all)).done;
in
{
  options.system.activationScripts = mkOption {
    type = types.attrsOf (types.coercedTo types.str (text: { inherit text; }) fragment);
    default = { };
    example.stdio.text = "ln -sfn /proc/self/fd/0 /dev/stdin";
    description = "Shell fragments which the system runs at boot and at every switch, as the user who switches. The variable `GIT_DEPLOY_ROOT` is the prefix of all paths.";
  };

  config = {
    system.activationScripts.etc = "";
    system.activationScripts.users = "";
    system.build.activationScript = "failed_fragments=0\n" + lib.concatMapStrings (
      name: lib.optionalString (all.${name}.text != "") ''
        (
        ${all.${name}.text}
        ) || { echo "Activation script snippet '${name}' failed ($?)" >&2; failed_fragments=1; }
      ''
    ) order;
  };
}
