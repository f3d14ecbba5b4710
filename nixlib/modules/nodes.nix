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

  config.warnings = import ../lib/misspelled.nix {
    inherit lib;
    inherit (options) nodes;
  };
}
