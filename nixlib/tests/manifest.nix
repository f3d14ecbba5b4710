# What the manifest of a network says, and what it must not read for that.
{ lib, nixpkgs }:
let
  inherit (import ./network.nix { inherit lib nixpkgs; })
    manifest
    node
    boom
    slowly
    both
    ;
  inherit (lib)
    attrNames
    mkDefault
    mkForce
    mkIf
    mkMerge
    mkOption
    types
    ;
in
{
  # --- the manifest

  manifestOfNothing = {
    expr = manifest [ ];
    expected = {
      version = 1;
      network = {
        name = "test";
        id = "1";
      };
      nodes = { };
    };
  };
  # What declares a node (errors.nix has what does not).
  declaredByItsSettings = {
    expr = attrNames (manifest [ { imports = [ { _file = "/net/a.nix"; nodes.web = mkMerge [ { configuration = { }; } { deploy.port = 1; } ]; } ]; } ]).nodes;
    expected = [ "web" ];
  };
  declaredInTheNetworkItself = {
    expr = attrNames (manifest [ ./fixtures/adds.nix { _file = "/flake.nix"; defaults = { }; imports = [ { nodes.web.configuration = { }; } ]; } ]).nodes;
    expected = [ "wbe" "web" ];
  };
  addedToByAModule = {
    expr = attrNames (manifest [ { nodes.wbe = { }; imports = [ ./fixtures/adds.nix { _file = "/net/a.nix"; nodes.web = mkIf false { configuration = { }; }; } ]; } ]).nodes;
    expected = [ "wbe" ];
  };
  manifestDefaults = {
    expr = node [ { nodes.web = { }; } ];
    expected = {
      host = "web";
      user = "root";
      port = 0;
      tags = [ ];
      branch = "main";
      evaluate = "node";
      build = "node";
      profile = {
        kind = "nixos";
        name = "system";
        path = "";
        user = "root";
        activate = [ ];
        order = 0;
      };
      timeouts = {
        activate = 240;
        confirm = 30;
        reboot = 300;
      };
    };
  };
  manifestForcesNoConfiguration = {
    expr = (node [ { nodes.web = { deploy.host = "h"; configuration = boom; }; } ]).host;
    expected = "h";
  };
  manifestForcesNoConfigurationSlowly = {
    expr = (node [ { nodes.web = slowly { deploy.host = "h"; configuration = boom; }; } ]).host;
    expected = "h";
  };
  manifestForcesNoDefaultsOfConfigurations = {
    expr = (node [ { defaults.configuration = boom; nodes.web.nixpkgs = boom; } ]).host;
    expected = "web";
  };
  manifestForcesNoHealth = {
    expr = (node [ { nodes.web.health = boom; } ]).host;
    expected = "web";
  };
  settingMayReferToAnotherNode = {
    expr = (node [ ({ config, ... }: { nodes.a.deploy.host = "x"; nodes.web.deploy.host = "${config.nodes.a.deploy.host}y"; }) ]).host;
    expected = "xy";
  };
  nodeModuleSeesNameAndNodes = {
    expr = (node [ { nodes.a.deploy.user = "u"; nodes.web = { name, nodes, ... }: { deploy.host = "${name}.${nodes.a.deploy.user}"; }; } ]).host;
    expected = "web.u";
    # Older module systems give submodules only their name.
    when = types ? submoduleWith;
  };
  unknownSettingIsRefused = {
    expr = node [ { nodes.web.deploy.hots = "x"; } ];
    expected = "fails";
  };
  wrongTypeIsRefused = {
    expr = node [ { nodes.web.deploy.port = "22"; } ];
    expected = "fails";
  };
  portOutOfRangeIsRefused = {
    expr = node [ { nodes.web.deploy.port = 70000; } ];
    expected = "fails";
  };
  buildHasTwoPlaces = {
    expr = node [ { nodes.web.deploy.build = "elsewhere"; } ];
    expected = "fails";
  };

  # --- fast and slow agree

  agreeOnDefaults = both { deploy.user = "d"; deploy.timeouts.confirm = 3; } { deploy.host = "h"; };
  agreeOnPriority = both { deploy.user = mkDefault "d"; } { deploy.user = "w"; };
  agreeOnForce = both { deploy.user = mkForce "d"; } { deploy.user = "w"; };
  agreeOnLists = both { deploy.tags = [ "d" ]; } { deploy.tags = [ "w" ]; };
  agreeOnNested = both { deploy = mkMerge [ { user = "d"; } { tags = [ "x" ]; } ]; } { deploy.timeouts = { activate = 5; }; };
  agreeOnConditions = both { deploy.user = lib.mkIf false "d"; deploy.tags = lib.mkIf true [ "a" ]; } { };
  agreeOnImports = both { } { imports = [ { deploy.host = "i"; } ]; deploy.user = "u"; };
  agreeOnHostDefault = both { deploy.host = mkDefault "all"; } { };
  agreeOnConflict = {
    expr = manifest [ { defaults.deploy.user = "a"; nodes.web.deploy.user = "b"; } ];
    expected = "fails";
  };

  # --- a module of the network with options of its own

  modulesSetAnyNode = {
    expr = (manifest [
      (
        { config, ... }:
        {
          options.marked = mkOption { type = types.listOf types.str; default = [ ]; };
          config.nodes = lib.genAttrs config.marked (_: { deploy.tags = [ "marked" ]; });
        }
      )
      { marked = [ "web" ]; nodes.web = { }; }
    ]).nodes.web.tags;
    expected = [ "marked" ];
  };

  # --- addresses and lookups

  addressesMayDifferByPort = {
    expr = lib.mapAttrs (_: n: n.port) (manifest [ { nodes.a.deploy = { host = "h"; port = 1; }; nodes.b.deploy = { host = "h"; port = 2; }; } ]).nodes;
    expected = { a = 1; b = 2; };
  };
  addressesMayBeSharedByProfiles = {
    expr = builtins.attrNames (manifest [ { nodes.a.deploy.host = "h"; nodes.b = { deploy.host = "h"; profile = { kind = "custom"; user = "alice"; package = boom; }; }; } ]).nodes;
    expected = [ "a" "b" ];
  };
  lookupFinds = {
    expr = (manifest [ ({ lookup, ... }: { nodes.a.deploy.tags = [ "t" ]; nodes.b.deploy = { tags = [ "t" ]; user = (lookup.node "a").deploy.user; }; nodes.web.deploy.branch = toString (lookup.tagged "t"); }) ]).nodes.web.branch;
    expected = "a b";
  };
}
