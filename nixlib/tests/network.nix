# What networks evaluate to. Every test is a network of its own; with a real
# nixpkgs, the systems are evaluated where that has NixOS.
{ lib, nixpkgs }:
let
  inherit (import ../. { }) mkNetwork;
  inherit (lib)
    mkDefault
    mkForce
    mkMerge
    mkOption
    types
    ;

  # Without all of nixpkgs (a checkout of lib alone) no system is evaluated.
  hasNixos = lib.all (file: builtins.pathExists (nixpkgs + file)) [
    "/default.nix"
    "/nixos/lib/eval-config.nix"
  ];

  network =
    modules:
    mkNetwork {
      modules = [
        {
          network = {
            name = "test";
            id = "1";
            inherit nixpkgs;
          };
        }
      ]
      ++ modules;
    };
  manifest = modules: (network modules).manifest;
  node = modules: (manifest modules).nodes.web;
  configOf = name: modules: (network modules).nodes.${name}.config;

  boom = throw "this must not be read";

  # deploy.json of the node web, whose system is mini's.
  bundle =
    modules:
    builtins.fromJSON (
      builtins.unsafeDiscardStringContext (network (modules ++ [ { nodes.web.nixpkgs = ../mini; } ])).nodes.web.bundle.text
    );
  # One check as it is in the bundle.
  check = kind: c: lib.head (bundle [ { nodes.web.health.${kind}.c = c; } ]).health;
  patience = { timeout = 5; interval = 1; retries = 10; initialDelay = 0; };

  # Settings by the module system, for comparison with those read fast.
  slowly = module: { ... }: { imports = [ module ]; };
  both = defaults: web: {
    expr = (manifest [ { inherit defaults; nodes.web = web; } ]).nodes.web;
    expected = (manifest [ { defaults = slowly defaults; nodes.web = slowly web; } ]).nodes.web;
  };
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

  # --- the bundle

  healthOfNodeAndConfiguration = {
    expr = map (c: [ c.name c.type c.timeout ]) (bundle [
      {
        nodes.web = {
          health.tcp.ssh.port = 22;
          configuration.git-deploy.health.command.ok.command = [ "/bin/true" ];
        };
      }
    ]).health;
    expected = [
      [ "ok" "command" 5 ]
      [ "ssh" "tcp" 5 ]
    ];
  };
  healthInDefaults = {
    expr = (bundle [ { defaults.health.tcp.ssh.port = 22; nodes.web.health.tcp.ssh.timeout = 9; } ]).health;
    expected = [ (patience // { name = "ssh"; type = "tcp"; from = "node"; host = "localhost"; port = 22; timeout = 9; }) ];
  };
  defaultsAndNodeAddUp = {
    expr = map (c: c.name) (bundle [
      {
        defaults.health = { units.sshd.units = [ "sshd.service" ]; preSwitch.file.full = { path = "/var/full"; absent = true; }; };
        nodes.web.health = { units.web.units = [ "nginx" ]; file.up.path = "/run/up"; };
      }
    ]).health;
    expected = [ "up" "sshd" "web" ];
  };
  unitsOfOneCheckAddUp = {
    expr = lib.sort (a: b: a < b) (lib.head (bundle [
      { defaults.health.units.all.units = [ "sshd.service" ]; nodes.web.health.units.all.units = [ "nginx.service" ]; }
    ]).health).units;
    expected = [ "nginx.service" "sshd.service" ];
  };
  noHealth = {
    expr = let b = bundle [ { nodes.web = { }; } ]; in [ b.health b.preSwitch ];
    expected = [ [ ] [ ] ];
  };
  httpCheck = {
    expr = check "http" { url = "https://a.example.org"; };
    expected = patience // { name = "c"; type = "http"; from = "node"; url = "https://a.example.org"; status = 200; };
  };
  httpCheckWithAll = {
    expr = check "http" { url = "https://a"; status = 204; body = "ok"; ca = "/etc/ca.pem"; from = "deployer"; timeout = 1; interval = 2; retries = 3; initialDelay = 4; };
    expected = { name = "c"; type = "http"; from = "deployer"; url = "https://a"; status = 204; body = "ok"; ca = "/etc/ca.pem"; timeout = 1; interval = 2; retries = 3; initialDelay = 4; };
  };
  httpCheckInsecure = {
    expr = (check "http" { url = "https://a"; insecure = true; }).insecure;
    expected = true;
  };
  # The certificates of a package: its store path is in the bundle's closure.
  caOfThisConfiguration = {
    expr =
      let
        text = (network [ { nodes.web = { nixpkgs = ../mini; health.http.a = { url = "https://a"; ca = "${builtins.toFile "ca.pem" ""}"; }; }; } ]).nodes.web.bundle.text;
      in
      lib.any (path: builtins.match ".*-ca.pem" path != null) (builtins.attrNames (builtins.getContext text));
    expected = true;
    when = builtins ? getContext;
  };
  fileCheck = {
    expr = check "file" { path = "/a"; body = "x"; maxAge = 60; };
    expected = patience // { name = "c"; type = "file"; path = "/a"; body = "x"; maxAge = 60; };
  };
  fileCheckAbsent = {
    expr = check "file" { path = "/a"; absent = true; };
    expected = patience // { name = "c"; type = "file"; path = "/a"; absent = true; };
  };
  unitsCheck = {
    expr = check "units" { units = [ "a.service" "b.timer" ]; };
    expected = patience // { name = "c"; type = "units"; units = [ "a.service" "b.timer" ]; };
  };
  # Seen from the deployer, localhost is not the node.
  tcpFromTheDeployer = {
    expr = map (c: [ c.name c.host c.from ]) (bundle [
      {
        nodes.web = {
          deploy.host = "web.example.org";
          health.tcp.a = { port = 1; from = "deployer"; };
          health.tcp.b = { port = 1; from = "deployer"; host = "b.example.org"; };
          health.tcp.c.port = 1;
        };
      }
    ]).health;
    expected = [ [ "a" "web.example.org" "deployer" ] [ "b" "b.example.org" "deployer" ] [ "c" "localhost" "node" ] ];
  };
  preSwitchOfAllPlaces = {
    expr = let b = bundle [
      {
        defaults.health.preSwitch.tcp.ssh.port = 22;
        nodes.web = {
          # Before and after the switch are two sets: names may be the same.
          health = { units.web.units = [ "nginx.service" ]; preSwitch.units.web.units = [ "nginx.service" ]; };
          configuration.git-deploy.health.preSwitch.http.up.url = "http://localhost";
        };
      }
    ]; in map (map (c: c.name)) [ b.health b.preSwitch ];
    expected = [ [ "web" ] [ "up" "ssh" "web" ] ];
  };
  preSwitchIsOnTheNode = {
    expr = bundle [ { nodes.web.health.preSwitch.tcp.a = { port = 1; from = "deployer"; }; } ];
    expected = "fails";
  };
  commandsRunOnTheNode = {
    expr = check "command" { command = [ "x" ]; from = "deployer"; };
    expected = "fails";
  };
  emptyCommandIsRefused = {
    expr = check "command" { command = [ ]; };
    expected = "fails";
    when = types ? nonEmptyListOf;
  };
  relativePathIsRefused = {
    expr = check "file" { path = "var/x"; };
    expected = "fails";
  };
  tryOfNoTimeIsRefused = {
    expr = check "tcp" { port = 1; timeout = 0; };
    expected = "fails";
  };

  whatSafetyNeedsIsInTheBundle = {
    expr = let b = bundle [ { nodes.web = { }; } ]; in [ b.timeouts b.rebootOnFailedRollback b.generations ];
    expected = [ { activate = 240; confirm = 30; reboot = 300; } false { keep = 0; days = 0; } ];
  };
  whatSafetyNeedsCanBeSet = {
    expr =
      let
        b = bundle [
          {
            defaults.deploy = { timeouts.reboot = mkDefault 60; generations.keep = 5; };
            nodes.web.deploy = { timeouts.reboot = 900; generations.days = 30; rebootOnFailedRollback = true; };
          }
        ];
      in
      [ b.timeouts.reboot b.rebootOnFailedRollback b.generations ];
    expected = [ 900 true { keep = 5; days = 30; } ];
  };
  agreeOnGenerations = both { deploy.generations.keep = mkDefault 5; deploy.rebootOnFailedRollback = true; } { deploy.generations.days = 1; deploy.timeouts.reboot = 60; };
  twoChecksOfOneName = {
    expr =
      (network [
        {
          nodes.web = {
            nixpkgs = ../mini;
            health.tcp.a.port = 22;
            health.http.a.url = "http://localhost";
          };
        }
      ]).nodes.web.bundle.text;
    expected = "fails";
  };
  # --- profiles

  profileOfItsOwn = {
    expr = (bundle [ { nodes.web = { configuration = boom; profile = { kind = "custom"; user = "alice"; package = (import ../mini { }).writeText "dotfiles" "a"; }; }; } ]).profile;
    expected = {
      kind = "custom";
      name = "test";
      path = "";
      user = "alice";
      activate = [ "bin/activate" ];
      order = 100;
    };
  };
  profileIsItsPackage = {
    expr = builtins.match ".*-dotfiles" (bundle [ { nodes.web.profile = { kind = "custom"; package = pkgs: pkgs.writeText "dotfiles" "a"; }; } ]).system == [ ];
    expected = true;
  };
  profileIsReadFast = both { profile.order = 7; } { deploy.tags = [ "a" ]; profile = { kind = "custom"; package = boom; name = "x"; }; };

  warningsAreInTheBundle = {
    expr = (bundle [ { nodes.web.configuration.warnings = [ "mind" ]; } ]).warnings;
    expected = [ "mind" ];
  };

  warningsOfTheNetworkToo = {
    expr = (bundle [ { warnings = [ "of all" ]; nodes.web.configuration.warnings = [ "mind" ]; } ]).warnings;
    expected = [ "of all" "mind" ];
  };
  addressesMayDifferByPort = {
    expr = lib.mapAttrs (_: n: n.port) (manifest [ { nodes.a.deploy = { host = "h"; port = 1; }; nodes.b.deploy = { host = "h"; port = 2; }; } ]).nodes;
    expected = { a = 1; b = 2; };
  };
  addressesMayBeSharedByProfiles = {
    expr = builtins.attrNames (manifest [ { nodes.a.deploy.host = "h"; nodes.b = { deploy.host = "h"; profile = { kind = "custom"; user = "alice"; package = boom; }; }; } ]).nodes;
    expected = [ "a" "b" ];
  };
  lookupFinds = {
    expr = (manifest [ ({ lookup, ... }: { nodes.a.deploy.tags = [ "t" ]; nodes.b.deploy = { tags = [ "t" ]; user = (lookup.node "a").deploy.user; }; nodes.web.deploy.host = toString (lookup.tagged "t"); }) ]).nodes.web.host;
    expected = "a b";
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
