# monitoring: exporters on nodes, scrape targets on the server.
{ lib, configOf, boom, example, ... }:
let
  base = {
    nodes = { web.deploy.host = "192.0.2.11"; db = { }; monitor = { }; };
    monitoring.server = "monitor";
  };
  of = name: modules: configOf name ([ base ] ++ modules);
  exporter = config: name: let e = config.services.prometheus.exporters.${name} or { }; in if e.enable or false then e.port else null;
  jobs = config: map (job: { name = job.job_name; targets = lib.concatMap (s: s.targets) job.static_configs; }) config.services.prometheus.scrapeConfigs;
  private = {
    monitoring.via = "home";
    vpn.networks.home = { subnets = [ "fd42::/64" ]; interface = "wg0"; nodes = { web = { }; db = { }; monitor = { }; }; };
  };
in
{
  oneLine = {
    expr = map (n: exporter (of n [ ]) "node") [ "web" "db" "monitor" ];
    expected = [ 9100 9100 9100 ];
  };
  targets = {
    expr = jobs (of "monitor" [ ]);
    expected = [ { name = "node"; targets = [ "db:9100" "monitor:9100" "192.0.2.11:9100" ]; } ];
  };
  labels = {
    expr = map (s: s.labels.node) (lib.head (of "monitor" [ ]).services.prometheus.scrapeConfigs).static_configs;
    expected = [ "db" "monitor" "web" ];
  };
  serverOnly = {
    expr = map (n: (of n [ ]).services.prometheus.enable) [ "web" "monitor" ];
    expected = [ false true ];
  };
  firewall = {
    expr = map (n: lib.elem 9100 (of n [ ]).networking.firewall.allowedTCPPorts) [ "web" "monitor" ];
    expected = [ true false ];
  };
  noFirewallWithoutExporter = {
    expr = lib.elem 9100 (of "db" [ { monitoring.exporters.node.nodes = [ "web" ]; } ]).networking.firewall.allowedTCPPorts;
    expected = false;
  };
  knownAddresses = {
    expr = jobs (of "monitor" [ { hosts.addresses = { db = [ "2001:db8::12" "192.0.2.12" ]; web = [ ]; }; } ]);
    expected = [ { name = "node"; targets = [ "[2001:db8::12]:9100" "monitor:9100" "192.0.2.11:9100" ]; } ];
  };
  someNodes = {
    expr =
      let
        modules = [ { monitoring.exporters = { node.port = 1000; postgres.nodes = [ "db" ]; }; } ];
      in
      [ (map (n: exporter (of n modules) "postgres") [ "web" "db" ]) (jobs (of "monitor" modules)) ];
    expected = [
      [ null 9187 ]
      [ { name = "node"; targets = [ "db:1000" "monitor:1000" "192.0.2.11:1000" ]; } { name = "postgres"; targets = [ "db:9187" ]; } ]
    ];
  };
  moreSettings = {
    expr = (of "web" [ { monitoring.exporters.node.settings.enabledCollectors = [ "systemd" ]; } ]).services.prometheus.exporters.node.enabledCollectors;
    expected = [ "systemd" ];
  };
  throughAPrivateNetwork = {
    expr =
      let
        f = (of "web" [ private ]).networking.firewall;
      in
      [ f.interfaces.wg0.allowedTCPPorts (lib.elem 9100 f.allowedTCPPorts) (jobs (of "monitor" [ private ])) ];
    expected = [ [ 9100 ] false [ { name = "node"; targets = [ "[fd42::7b:dc25:d169:4efa]:9100" "[fd42::7d:e973:67c9:cdc4]:9100" "[fd42::4b:5e57:f6eb:2f43]:9100" ]; } ] ];
  };
  noNetworkOfThatName = {
    expr = jobs (of "monitor" [ { monitoring.via = "hmoe"; } ]);
    expected = "fails";
  };
  unknownServer = {
    expr = exporter (of "web" [ { monitoring.server = lib.mkForce "mon"; } ]) "node";
    expected = "fails";
  };
  serverWithoutSystem = {
    expr = exporter (of "web" [ { nodes.home.profile.kind = "home-manager"; monitoring.server = lib.mkForce "home"; } ]) "node";
    expected = "fails";
  };
  unknownExporter = {
    expr = exporter (of "web" [ { monitoring.exporters.nod.port = 9100; } ]) "node";
    expected = "fails";
  };
  unknownPort = {
    expr = exporter (of "web" [ { monitoring.exporters.tor = { }; } ]) "tor";
    expected = "fails";
  };
  othersAreNotEvaluated = {
    expr = lib.length (jobs (of "monitor" [ { nodes.web.configuration = boom; nodes.db.configuration = boom; } ]));
    expected = 1;
  };
  off = {
    expr = exporter (configOf "web" [ { nodes.web = { }; } ]) "node";
    expected = null;
  };
  inExample = {
    expr = jobs (example "monitoring").nodes.monitor.config;
    expected = [
      { name = "node"; targets = [ "192.0.2.12:9100" "192.0.2.20:9100" "192.0.2.11:9100" ]; }
      { name = "postgres"; targets = [ "192.0.2.12:9187" ]; }
    ];
  };
}
