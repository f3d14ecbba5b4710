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
      description = "The node that reads all exporters, its own too, with Prometheus; `null`: there is no monitoring. There is one in a network.";
    };
    via = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "home";
      description = "The private network (`vpn.networks.<name>`) through which exporters are read; their ports are open on its interface alone. `null`: they are read at the first of the node's `hosts.addresses`, or else at `deploy.host`, which the server must be able to resolve then; and their ports are open to everybody.";
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
      description = "The exporters, by their names in `services.prometheus.exporters` of NixOS. Whoever names some names `node` too, or does without it.";
    };
  };

  config.defaults.configuration = lib.mkIf (config.monitoring.server != null) (
    import ./configuration.nix {
      inherit lib lookup;
      network = config;
    }
  );
}
