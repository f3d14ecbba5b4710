# The part of monitoring in a node's configuration.
{
  lib,
  lookup,
  network,
}:
{ name, ... }:
let
  inherit (lib)
    elem
    filterAttrs
    mapAttrs
    mapAttrsToList
    mkMerge
    optional
    ;
  cfg = network.monitoring;
  ip = import ../../lib/ip.nix { inherit lib; };
  reach = import ../../lib/reach.nix { inherit lib lookup network; };

  server = lib.head (lookup.named "monitoring.server" [ cfg.server ]);
  nodesOf =
    exporterName: exporter:
    if exporter.nodes == null then
      lookup.systems
    else
      lookup.named "monitoring.exporters.${exporterName}.nodes" exporter.nodes;

  mine = filterAttrs (n: exporter: elem name (nodesOf n exporter)) cfg.exporters;
  ports = mapAttrsToList (_: exporter: exporter.port) mine;

  target = port: node: {
    targets = [ (ip.withPort (reach.address "monitoring.via" cfg.via node) port) ];
    labels = { inherit node; };
  };
in
if !(elem name lookup.systems) then
  { }
else
  mkMerge (
    [
      {
        services.prometheus.exporters = mapAttrs (
          _: exporter:
          {
            enable = true;
            inherit (exporter) port;
          }
          // exporter.settings
        ) mine;
        networking.firewall =
          if cfg.via == null then
            { allowedTCPPorts = ports; }
          else
            { interfaces.${reach.interface cfg.via}.allowedTCPPorts = ports; };
      }
    ]
    ++ optional (name == server) {
      services.prometheus = {
        enable = true;
        scrapeConfigs = mapAttrsToList (n: exporter: {
          job_name = n;
          static_configs = map (target exporter.port) (nodesOf n exporter);
        }) cfg.exporters;
      };
    }
  )
