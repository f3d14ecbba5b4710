# What the configurations of nodes evaluate to, and by which nixpkgs.
{ lib, nixpkgs }:
let
  inherit (import ../. { }) mkNetwork;
  inherit (import ./network.nix { inherit lib nixpkgs; })
    hasNixos
    network
    configOf
    boom
    ;
  inherit (lib) mkForce types;
in
{
  # --- configurations

  configurationsMerge = {
    when = hasNixos;
    expr = (configOf "web" [
      { nodes.web.configuration.environment.etc.a.text = "1"; }
      { nodes.web.configuration = { name, ... }: { environment.etc.b.text = name; }; }
      { defaults.configuration.environment.etc.c.text = "3"; }
    ]).environment.etc.b.text;
    expected = "web";
  };
  configurationCanBeForced = {
    when = hasNixos;
    expr = (configOf "web" [
      { nodes.web.configuration.networking.hostName = "a"; }
      { nodes.web.configuration.networking.hostName = mkForce "b"; }
    ]).networking.hostName;
    expected = "b";
  };
  hostNameIsTheNodes = {
    when = hasNixos;
    expr = (configOf "web" [ { nodes.web = { }; } ]).networking.hostName;
    expected = "web";
  };
  otherNodesAreLazy = {
    when = hasNixos;
    expr = (configOf "web" [
      {
        nodes.web.configuration = { nodes, ... }: { networking.hostName = nodes.db.configuration.networking.hostName + "1"; };
        nodes.db.configuration = { environment.etc.x.text = boom; networking.hostName = "db"; };
        nodes.never.configuration = boom;
      }
    ]).networking.hostName;
    expected = "db1";
  };
  networkIsAnArgument = {
    when = hasNixos;
    expr = (configOf "web" [ { nodes.web.configuration = { network, ... }: { networking.hostName = network.name; }; } ]).networking.hostName;
    expected = "test";
  };
  nodesHaveArgumentsOfTheirOwn = {
    when = hasNixos && builtins.functionArgs lib.evalModules ? specialArgs;
    expr = (configOf "web" [
      { defaults.specialArgs.greeting.environment.etc.a.text = "hello"; }
      {
        nodes.web.specialArgs.other = "world";
        nodes.web.configuration =
          { greeting, other, config, ... }:
          {
            imports = [ greeting ];
            networking.hostName = config.environment.etc.a.text + other;
          };
      }
    ]).networking.hostName;
    expected = "helloworld";
  };
  networkModulesReadConfigurations = {
    when = hasNixos;
    expr = (configOf "web" [
      (
        { config, ... }:
        {
          nodes.db.configuration.networking.hostName = "db";
          nodes.web.configuration.networking.hostName = "${config.nodes.db.configuration.networking.hostName}x";
        }
      )
    ]).networking.hostName;
    expected = "dbx";
  };
  nodesMayHaveAnotherNixpkgs = {
    expr = (configOf "web" [ { nodes.web = { nixpkgs = ../mini; configuration.networking.hostName = "m"; }; } ]).networking.hostName;
    expected = "m";
  };
  # Seen only by the evaluation, which then starts again with its lib.
  nixpkgsInAnImport = {
    expr = (mkNetwork { modules = [ { imports = [ { network = { name = "a"; id = "1"; nixpkgs = ../mini; }; } ]; } ]; inherit nixpkgs; }).config.network.nixpkgs;
    expected = ../mini;
  };
  # By path, text, input and pin; each is evaluated by its own, in one network.
  everyNodeItsNixpkgs = {
    expr =
      let
        other = ./fixtures/other-nixpkgs;
        pins = { nixpkgs = { type = "Git"; revision = "0"; outPath = toString other; __functor = _: throw "not called"; }; };
        n = network [
          ({ lib, ... }: {
            nodes.path.nixpkgs = other;
            nodes.text.nixpkgs = toString other;
            nodes.input.nixpkgs = { outPath = toString other; lib = import (other + "/lib"); legacyPackages = boom; };
            nodes.pin.nixpkgs = pins.nixpkgs;
            nodes.mini.nixpkgs = ../mini;
            # What the network's modules see is the network's.
            nodes.mini.deploy.user = lib.onlyInOther or "network";
            defaults.configuration = { pkgs, lib, nodes, ... }: {
              environment.etc.version.text = lib.version;
              environment.etc.other.text = "${pkgs.other or (pkgs.writeText "none" "")} ${nodes.mini.configuration.networking.hostName}";
            };
          })
        ];
        ofNode = name: let c = n.nodes.${name}.config.environment.etc; in [ c.version.text (builtins.match ".*-other mini" c.other.text != null) ];
      in
      [ (map ofNode [ "path" "text" "input" "pin" ]) (lib.last (ofNode "mini")) n.manifest.nodes.mini.user ];
    expected = [ (map (_: [ "25.05-other" true ]) [ 1 2 3 4 ]) false "network" ];
    when = types ? submoduleWith;
  };
  everyNodeItsSystem = {
    expr =
      let
        n = network [
          {
            defaults.nixpkgs = ../mini;
            nodes.arm.configuration.nixpkgs.hostPlatform = "aarch64-linux";
            nodes.pc.configuration.nixpkgs.hostPlatform = "x86_64-linux";
          }
        ];
      in
      lib.mapAttrs (_: node: [ node.system.system node.bundle.system ]) n.nodes;
    expected = { arm = [ "aarch64-linux" "aarch64-linux" ]; pc = [ "x86_64-linux" "x86_64-linux" ]; };
  };
  # The nodes of a network may have the real one each and mini.
  realAndMini = {
    when = hasNixos;
    expr = let n = network [ { nodes.real.configuration = { }; nodes.mini.nixpkgs = ../mini; } ]; in map (name: n.nodes.${name}.config.networking.hostName) [ "real" "mini" ];
    expected = [ "real" "mini" ];
  };
  nixpkgsMayBeAnInput = {
    expr = (configOf "web" [ { nodes.web.nixpkgs.outPath = toString ../mini; } ]).networking.hostName;
    expected = "web";
  };
  assertionsFail = {
    expr = (network [ { nodes.web = { nixpkgs = ../mini; configuration.assertions = [ { assertion = false; message = "no"; } ]; }; } ]).nodes.web.system.drvPath;
    expected = "fails";
  };

  # --- what a node needs

  unitsAreLeftAlone = {
    when = hasNixos;
    expr =
      let
        s = (configOf "web" [ { nodes.web = { }; } ]).systemd.services;
      in
      map (n: [ s.${n}.restartIfChanged s.${n}.stopIfChanged s.${n}.serviceConfig.KillMode s.${n}.serviceConfig.Restart ]) [
        "git-deploy-recover"
        "git-deploy-activate@"
      ];
    expected = [
      [ false false "process" "on-abnormal" ]
      [ false false "process" "on-abnormal" ]
    ];
  };
  sshdNamesTheKey = {
    when = hasNixos;
    expr = lib.elem "ExposeAuthInfo yes" (lib.splitString "\n" (configOf "web" [ { nodes.web = { }; } ]).services.openssh.extraConfig);
    expected = true;
  };
  toolCanBeDisabled = {
    when = hasNixos;
    expr = (configOf "web" [ { nodes.web.configuration.git-deploy.enable = false; } ]).systemd.services ? git-deploy-recover;
    expected = false;
  };

  # --- plain nixosConfigurations

  plainSystemsAreNodes = {
    expr =
      let
        eval = modules: import ../mini/nixos/lib/eval-config.nix { inherit modules; };
        n = mkNetwork {
          inherit nixpkgs;
          modules = [ { network = { name = "flake"; id = "2"; }; } ];
          nixosConfigurations = {
            plain = eval [ { networking.hostName = "p"; } ];
            told = eval [
              ../nixos
              {
                nixpkgs.hostPlatform = "x86_64-linux";
                git-deploy = {
                  deploy = {
                    host = "t.example.org";
                    timeouts = { confirm = 9; reboot = 90; };
                    generations.keep = 3;
                    rebootOnFailedRollback = true;
                  };
                  health = { tcp.ssh = { port = 22; from = "deployer"; }; preSwitch.units.ssh.units = [ "sshd" ]; };
                };
              }
            ];
          };
        };
        told = builtins.fromJSON (builtins.unsafeDiscardStringContext n.nodes.told.bundle.text);
      in
      {
        told = [ told.timeouts told.generations told.rebootOnFailedRollback (map (c: c.host) told.health) (map (c: c.units) told.preSwitch) ];
        hosts = lib.mapAttrs (_: m: [ m.host m.user m.timeouts.confirm ]) n.manifest.nodes;
        name = n.nodes.plain.config.networking.hostName;
      };
    expected = {
      hosts = {
        plain = [ "plain" "root" 30 ];
        told = [ "t.example.org" "root" 9 ];
      };
      name = "p";
      told = [
        { activate = 240; confirm = 9; reboot = 90; }
        { keep = 3; days = 0; }
        true
        [ "t.example.org" ]
        [ [ "sshd" ] ]
      ];
    };
  };
}
