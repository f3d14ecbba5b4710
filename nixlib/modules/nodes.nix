# nodes: the machines of the network.
{
  lib,
  config,
  options,
  ...
}:
let
  inherit (lib) mkOption types;
  inherit (config._internal) compat;

  # Nodes of which a definition may say nothing but the configuration; most networks have none.
  bare = lib.concatMap (
    nodes: lib.filter (n: nodes.${n} ? configuration || nodes.${n} ? _type) (builtins.attrNames nodes)
  ) (lib.filter builtins.isAttrs options.nodes.definitions);
  declared = import ../lib/declared.nix {
    inherit lib;
    inherit (config._internal) modules;
    inherit (options) nodes;
    names = bare;
  };
in
{
  options.nodes = mkOption {
    type = types.attrsOf (
      import ./node {
        inherit lib;
        network = config;
      }
    );
    default = { };
    example = compat.literal ''
      {
        web = {
          deploy.host = "web.example.org";
          configuration = ./web/configuration.nix;
        };
      }
    '';
    description = "The machines of the network, by name.";
  };

  config = {
    assertions = lib.optionals (bare != [ ]) declared.assertions;
    warnings = lib.optionals (bare != [ ]) declared.warnings;
  };
}
