# The one evaluation of a whole network.
{
  lib,
  modules,
  root,
  self,
  specialArgs,
  defaultNixpkgs,
  nixosConfigurations,
}:
let
  compat = import ./compat.nix { inherit lib; };
  inherit (lib) mapAttrs;

  arguments = specialArgs // {
    inherit nodes;
    network = config.network;
    lookup = import ./lookup.nix { inherit lib nodes; };
  };

  # What configurations and modules see of the nodes. `config` is what other
  # tools call `configuration`.
  nodes = mapAttrs (_: node: node // { config = node.configuration; }) config.nodes;

  evaluation = compat.evalModules {
    modules = [
      {
        _file = ./evaluate.nix;
        options._internal = lib.mkOption {
          type = lib.types.attrs;
          internal = true;
          visible = false;
          description = "What the evaluation hands to the modules: the root of the repository, the network's own modules, the default nixpkgs, and the helpers for module systems of all ages.";
        };
        config = {
          _internal = {
            inherit
              root
              self
              modules
              defaultNixpkgs
              compat
              arguments
              ;
          };
        };
      }
      ../modules
    ]
    ++ lib.optional (nixosConfigurations != { }) (import ./nixos-configurations.nix nixosConfigurations)
    ++ modules;
    specialArgs = arguments;
  };
  inherit (evaluation) config options;

  # What the network's own modules assert, judged before anything is handed out.
  failed = lib.filter (a: !a.assertion) config.assertions;
  asserted =
    value:
    if failed == [ ] then
      value
    else
      throw "the network ${config.network.name} fails its own assertions:${lib.concatMapStrings (a: "\n- ${a.message}") failed}";
  addressed =
    nodes: value:
    if lib.length nodes < 2 then value else import ./addresses.nix { inherit lib config nodes; } value;
  checked = nodes: value: asserted (addressed nodes value);
  manifest = import ./manifest.nix { inherit lib config; };
in
{
  inherit config options;

  manifest = checked (builtins.attrNames config.nodes) manifest;

  nodes = mapAttrs (
    name: node:
    {
      inherit (node.evaluation) config options;
      system = node.evaluation.config.system.build.toplevel;
      # What is wrong in its settings is wrong, also where only the manifest has them.
      bundle = checked (import ./neighbours.nix config.nodes options.nodes.definitions name) (
        builtins.deepSeq manifest.nodes.${name} import ./bundle.nix {
          inherit
            lib
            config
            name
            node
            ;
        }
      );
    }
  ) config.nodes;
}
