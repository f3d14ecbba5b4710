# hosts: names of all nodes everywhere.
{ lib, network, configOf, settings, example, ... }:
let
  hosts = settings: name: (configOf name [ { nodes.web.deploy.host = "192.0.2.11"; nodes.db.deploy.host = "fd00::12"; nodes.far.deploy.host = "far.example.org"; } { hosts = settings; } ]).networking.hosts;
  ours = table: removeAttrs table [ "127.0.0.1" "127.0.0.2" "::1" ];
in
{
  off = {
    expr = ours (hosts { } "web");
    expected = { };
  };
  on = {
    expr = ours (hosts { enable = true; } "far");
    expected = { "192.0.2.11" = [ "web" ]; "fd00::12" = [ "db" ]; };
  };
  domain = {
    expr = (hosts { enable = true; domain = "lan"; } "far")."192.0.2.11";
    expected = [ "web.lan" "web" ];
  };
  aliases = {
    expr = (hosts { enable = true; aliases.web = [ "www.example.org" ]; } "far")."192.0.2.11";
    expected = [ "web" "www.example.org" ];
  };
  addresses = {
    expr = ours (hosts { enable = true; addresses = { far = [ "192.0.2.13" "192.0.2.11" ]; db = [ ]; }; } "web");
    expected = { "192.0.2.11" = [ "far" "web" ]; "192.0.2.13" = [ "far" ]; };
  };
  unknownNode = {
    expr = hosts { enable = true; aliases.wbe = [ "www" ]; } "web";
    expected = "fails";
  };
  noAddress = {
    expr = (settings [ { nodes.web = { }; hosts.addresses.web = [ "192.0.2" ]; } ]).hosts;
    expected = "fails";
  };
  # What all systems get, homes of users do not.
  homesAreNoSystems = {
    expr = (network [
      {
        hosts.enable = true;
        monitoring.server = "web";
        nodes.web.deploy.host = "192.0.2.11";
        nodes.home = {
          deploy.host = "192.0.2.11";
          nixpkgs = lib.mkForce ../../mini;
          profile = { kind = "home-manager"; user = "alice"; source = ../fixtures/home-manager; };
          configuration.home.username = "alice";
        };
      }
    ]).nodes.home.config.home.username;
    expected = "alice";
  };
  homesHaveNoNames = {
    expr = (configOf "web" [ { hosts.enable = true; nodes.web.deploy.host = "192.0.2.11"; nodes.home = { deploy.host = "192.0.2.11"; profile.kind = "home-manager"; }; } ]).networking.hosts."192.0.2.11";
    expected = [ "web" ];
  };
  inExample = {
    expr = (example "hosts").nodes.db.config.networking.hosts;
    expected = {
      "192.0.2.11" = [ "web.lan" "web" "www.example.org" ];
      "192.0.2.12" = [ "db.lan" "db" ];
      "192.0.2.13" = [ "store.lan" "store" ];
      "2001:db8::13" = [ "store.lan" "store" ];
    };
  };
}
