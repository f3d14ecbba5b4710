# monitoring: exporters on nodes, and one node whose Prometheus reads them.
{
  lib,
  config,
  lookup,
  ...
}:
let
  inherit (lib) mkOption types;
  inherit (config._internal) compat;
in
{
  options.monitoring = {
    server = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "monitor";
      description = "The node that reads the exporters of all others with Prometheus; `null`: there is no monitoring.";
    };
    via = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "home";
      description = "The private network (`vpn.networks.<name>`) through which exporters are read; their ports are open to it alone. `null`: they are read at `deploy.host`, and their ports are open to everybody.";
    };
    exporters = mkOption {
      type = types.attrsOf (types.submodule (import ./exporter.nix { inherit lib compat; }));
      default.node = { };
      example = compat.literal ''
        {
          node = { };
          nginx.nodes = [ "web" ];
        }
      '';
      description = "The exporters, by their names in `services.prometheus.exporters`.";
    };
  };

  config.defaults.configuration = lib.mkIf (config.monitoring.server != null) (
    import ./configuration.nix {
      inherit lib lookup;
      network = config;
    }
  );
}
