# nodes.<name>.configuration: the configuration of NixOS, or of what else the
# node's profile is, evaluated by the node's own nixpkgs (nodes need not have
# the same one). Any network module may define parts of it;
# what is read of it is the evaluated configuration.
{
  lib,
  compat,
  network,
}:
let
  inherit (lib) mkOption;
in
{
  options = {
    nixpkgs = mkOption {
      type = compat.types.raw;
      default = network.network.nixpkgs;
      defaultText = compat.literal "network.nixpkgs";
      example = compat.literal "inputs.nixpkgs-unstable";
      description = "The nixpkgs that evaluates and builds this node: a path, a flake input or a pin (anything with `outPath`).";
    };

    configuration = mkOption {
      type = compat.types.module;
      default = { };
      example = compat.literal "./web/configuration.nix";
      description = ''
        The configuration of the node: a module, or a file with one, of NixOS or of what else its `profile.kind` is. Its modules may ask for the arguments `name` (of the node), `nodes` (all nodes; `nodes.<other>.configuration` is evaluated as far as it is read), `lookup` (`lookup.node "db"` and `lookup.tagged "server"`, which say what there is when it is not) and `network`, besides the usual ones.
        Other modules of the network may define it too, for any node. Read, it is the evaluated configuration.
      '';
    };

    specialArgs = mkOption {
      type = lib.types.attrsOf compat.types.raw;
      default = { };
      example = compat.literal "{ sources = import ./npins; }";
      description = "More arguments for the modules of `configuration`, which their `imports` may depend on.";
    };

    evaluation = mkOption {
      type = compat.types.raw;
      default = null;
      internal = true;
      description = "What evaluated the configuration: the result of eval-config.nix. `null`: what evaluates it by `profile.kind`.";
    };
  };

  # What is read of these options of the node `name`, where `configuration` is
  # one module and `evaluation` what was set.
  read =
    name: node:
    {
      configuration,
      evaluation,
      ...
    }:
    {
      configuration = node.evaluation.config;
      evaluation =
        if evaluation != null then
          evaluation
        else
          import ../../lib/evaluators {
            inherit lib name node;
            modules = [ configuration ];
            specialArgs = network._internal.arguments // { inherit name; } // node.specialArgs;
          };
    };
}
