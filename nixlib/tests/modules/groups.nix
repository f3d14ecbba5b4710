# groups: settings of all nodes with a tag.
{ lib, network, configOf, example, ... }:
let
  manifest = modules: (network modules).manifest.nodes;
  web = modules: (manifest modules).web;
  tagged = { nodes.web.deploy.tags = [ "a" ]; };
  # The same settings in a module that takes a module system to read.
  slowly = module: { ... }: { imports = [ module ]; };
  groups = example "groups";
in
{
  settings = {
    expr = (web [ tagged { groups.a.deploy.user = "u"; } ]).user;
    expected = "u";
  };
  settingsOfTagsOnly = {
    expr = lib.mapAttrs (_: n: n.user) (manifest [ tagged { nodes.db = { }; groups.a.deploy.user = "u"; } ]);
    expected = { web = "u"; db = "root"; };
  };
  functions = {
    expr = (web [ tagged { groups.a = { name, ... }: { deploy.host = "${name}.a"; }; } ]).host;
    expected = "web.a";
  };
  agreeOnSlowNodes = {
    expr = web [ { nodes.web = slowly { deploy.tags = [ "a" ]; }; groups.a.deploy.user = "u"; } ];
    expected = web [ tagged { groups.a.deploy.user = "u"; } ];
  };
  agreeOnSlowGroups = {
    expr = web [ tagged { groups.a = slowly { deploy.user = "u"; }; } ];
    expected = web [ tagged { groups.a.deploy.user = "u"; } ];
  };
  tagsOfDefaults = {
    expr = (web [ { nodes.web = { }; defaults.deploy.tags = [ "a" ]; groups.a.deploy.user = "u"; } ]).user;
    expected = "u";
  };
  nodesMayChoose = {
    expr = (web [ tagged { nodes.web.deploy.user = "w"; groups.a.deploy.user = lib.mkDefault "u"; } ]).user;
    expected = "w";
  };
  twoGroupsMerge = {
    expr = let w = web [ { nodes.web.deploy.tags = [ "a" "b" ]; groups.a.deploy.user = "u"; groups.b.deploy.port = 5; } ]; in [ w.user w.port ];
    expected = [ "u" 5 ];
  };
  twoGroupsConflict = {
    expr = web [ { nodes.web.deploy.tags = [ "a" "b" ]; groups.a.deploy.user = "u"; groups.b.deploy.user = "v"; } ];
    expected = "fails";
  };
  tagsOfGroups = {
    expr = lib.sort (a: b: a < b) (web [ tagged { groups.a.deploy.tags = [ "b" ]; } ]).tags;
    expected = [ "a" "b" ];
  };
  twoTagsOfOneName = {
    expr = (web [ tagged { defaults.deploy.tags = [ "a" ]; groups.a.deploy.user = "u"; } ]).user;
    expected = "u";
  };
  configurations = {
    expr = map (n: (configOf n [ tagged { nodes.db = { }; groups.a.configuration.networking.hostName = "g"; } ]).networking.hostName) [ "web" "db" ];
    expected = [ "g" "db" ];
  };
  groupOfNobody = {
    expr = web [ tagged { groups.b = { }; } ];
    expected = "fails";
  };
  exampleTimeouts = {
    expr = lib.mapAttrs (_: n: n.timeouts.confirm) groups.manifest.nodes;
    expected = { web = 120; db = 120; laptop = 60; };
  };
  exampleConfigurations = {
    expr = lib.mapAttrs (_: n: [ (n.config.environment.etc.issue.text or "") (n.config.environment.etc ? site) ]) groups.nodes;
    expected = { web = [ "web, a server\n" true ]; db = [ "db, a server\n" false ]; laptop = [ "" false ]; };
  };
}
