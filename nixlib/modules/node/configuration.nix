# nodes.<name>.configuration: the configuration of NixOS, or of what else the
# node's profile is, evaluated by the node's own nixpkgs. Any network module may define parts of it; what is read of it
# is the evaluated configuration.
network:
{
  lib,
  name,
  config,
  options,
  ...
}:
let
  inherit (lib) mkOption zipListsWith;
  inherit (network._internal) arguments compat;
  opt = options.configuration;
  modules = zipListsWith (file: value: {
    _file = file;
    imports = [ value ];
  }) opt.files opt.definitions;
in
{
  options = {
    configuration = mkOption {
      type = compat.types.module;
      default = { };
      apply = _: config.evaluation.config;
      example = compat.literal "./web/configuration.nix";
      description = ''
        The configuration of the node: a module, or a file with one, of NixOS or of what else its `profile.kind` is. Its modules may ask for the arguments `name` (of the node), `nodes` (all nodes; `nodes.<other>.configuration` is evaluated as far as it is read), `lookup` (`lookup.node "db"` and `lookup.tagged "server"`, which say what there is when it is not) and `network`, besides the usual ones.
        Other modules of the network may define it too, for any node. Read, it is the evaluated configuration.
      '';
    };

    evaluation = mkOption {
      type = compat.types.raw;
      internal = true;
      description = "What evaluated the configuration: the result of eval-config.nix.";
    };
  };

  config.evaluation = lib.mkOptionDefault (
    import ../../lib/evaluators.nix {
      inherit lib name modules;
      node = config;
      specialArgs = arguments // {
        inherit name;
      };
    }
  );
}
