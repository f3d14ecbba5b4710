# All nodes are monitored, by one line; the databases a little more.
{ nixlib, ... }:
{
  network.name = "monitoring";
  network.nixpkgs = nixlib + "/mini"; # yours: <nixpkgs>, a path or a pin

  nodes = {
    web.deploy.host = "192.0.2.11";
    db.deploy.host = "192.0.2.12";
    monitor.deploy.host = "192.0.2.20";
  };

  monitoring.server = "monitor";
  monitoring.exporters = {
    node = { };
    postgres.nodes = [ "db" ];
  };
}
