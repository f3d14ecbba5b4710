# What deploy.json of a node says: health checks, profiles, limits and warnings.
{ lib, nixpkgs }:
let
  inherit (import ./network.nix { inherit lib nixpkgs; })
    network
    boom
    bundle
    check
    patience
    slowly
    both
    ;
  inherit (lib) mkDefault types;
in
{
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

  agreeOnHealth =
    let
      defaults = { health.units.sshd.units = [ "sshd.service" ]; health.preSwitch.file.full = { path = "/var/full"; absent = true; }; };
      web = { health.tcp.ssh.port = 22; configuration.networking.hostName = "w"; };
    in
    {
      expr = bundle [ { inherit defaults; nodes.web = web; } ];
      expected = bundle [ { defaults = slowly defaults; nodes.web = slowly web; } ];
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

  misspelledNodes = {
    expr = (bundle [
      { _file = "/net/nodes"; nodes = { web.deploy.host = "a"; web1 = { ... }: { }; mail.deploy.tags = [ "mail" ]; }; }
      { _file = "/net/x.nix"; nodes.wbe.configuration = { }; nodes.mail.configuration = { }; nodes.web2.configuration = { }; nodes.db.configuration = { }; }
    ]).warnings;
    expected = lib.optional (lib.strings ? levenshtein)
      "nodes.wbe is set in /net/x.nix alone, which says nothing but its configuration: did you mean nodes.web? If it is a node of its own, write nodes.wbe.deploy.host = \"wbe\";";
  };
  nodesOfTheirOwn = {
    expr = (bundle [
      { _file = "/net/nodes"; nodes.web.deploy.host = "a"; }
      { _file = "/net/x.nix"; nodes.wbe = { configuration = { }; deploy.host = "wbe"; }; nodes.wbc.configuration = { }; }
      { _file = "/net/y.nix"; nodes.wbc.configuration = { }; }
    ]).warnings;
    expected = [ ];
  };
}
