# The part of monitoring in a node's configuration.
{
  lib,
  lookup,
  network,
}:
{ name, options, ... }:
let
  inherit (lib)
    attrNames
    elem
    filter
    filterAttrs
    head
    mapAttrs
    mapAttrsToList
    mkMerge
    optional
    ;
  cfg = network.monitoring;
  ip = import ../../lib/ip.nix { inherit lib; };
  reach = import ../../lib/reach.nix { inherit lib lookup network; };

  # The same names, once it is certain that all are systems; `option` is where they stand.
  systems =
    option: names:
    let
      others = filter (n: !(elem n lookup.systems)) (lookup.named option names);
    in
    if others == [ ] then
      names
    else
      throw "${option}: ${head others} is no system of NixOS (its profile.kind is ${(lookup.node (head others)).profile.kind}): name the node that is the machine's system";

  server = head (systems "monitoring.server" [ cfg.server ]);
  nodesOf =
    exporterName: exporter:
    if exporter.nodes == null then
      lookup.systems
    else
      systems "monitoring.exporters.${exporterName}.nodes" exporter.nodes;

  mine = filterAttrs (n: exporter: elem name (nodesOf n exporter)) cfg.exporters;
  # The server reads its own through the loopback interface, which no firewall closes.
  ports = if name == server then [ ] else mapAttrsToList (_: exporter: exporter.port) mine;

  # What the node's own nixpkgs has; the module system would not say which option of ours is wrong.
  known = (options.services.prometheus.exporters.type.getSubOptions or (_: { })) [ ];
  unknown = filter (n: !(known ? ${n})) (attrNames mine);

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
        services.prometheus.exporters =
          if unknown != [ ] then
            throw "monitoring.exporters.${head unknown}: the nixpkgs of the node ${name} has no such exporter: name one of services.prometheus.exporters"
          else
            mapAttrs (
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
