# What errors say. Each of `cases` fails; its message holds the texts `wanted`.
{
  nixpkgs ? ../mini,
}:
let
  lib = import (nixpkgs + "/lib");
  inherit (import ../. { }) mkNetwork;
  inherit (lib) mkOption types;

  manifest =
    module:
    (mkNetwork {
      modules = [
        {
          network = {
            name = "test";
            id = "1";
            inherit nixpkgs;
          };
        }
        module
      ];
    }).manifest;
  # Its nodes with the system of mini.
  network =
    modules:
    mkNetwork {
      modules = modules ++ [
        {
          network = { name = "a"; id = "1"; inherit nixpkgs; };
          defaults.nixpkgs = ../mini;
        }
      ];
    };
  config = modules: (lib.evalModules { inherit modules; }).config;
  # The bundle of a node with these checks.
  health =
    health:
    (mkNetwork {
      modules = [
        {
          network = { name = "a"; id = "1"; inherit nixpkgs; };
          nodes.web = { nixpkgs = ../mini; inherit health; };
        }
      ];
    }).nodes.web.bundle.text;
  int = { options.a.x = mkOption { type = types.int; }; };
  at = file: config: {
    _file = file;
    inherit config;
  };

  all = {
    # --- networks

    unknownSetting = {
      case = manifest { nodes.web.deploy.hots = "x"; };
      wanted = [ "The option `nodes.web.deploy.hots' does not exist" ];
    };
    wrongType = {
      case = manifest (at "/net/a.nix" { nodes.web.deploy.port = "22"; });
      wanted = [ "`nodes.web.deploy.port' is not of type `null or 16 bit unsigned integer" "/net/a.nix" "\"22\"" ];
    };
    wrongTypeOfBundle = {
      case = (network [ { nodes.web.deploy.tags = "server"; } ]).nodes.web.bundle.text;
      wanted = [ "`nodes.web.deploy.tags' is not of type `list of string'" ];
    };
    wrongHost = {
      case = manifest { nodes.web.deploy.host = "root@web.lan"; };
      wanted = [ "`nodes.web.deploy.host' is not of type `host name or IP address, without user (deploy.user), port (deploy.port) or brackets'" "root@web.lan" ];
    };
    hostWithPort = {
      case = manifest { nodes.web.deploy.host = "web.lan:2222"; };
      wanted = [ "`nodes.web.deploy.host' is not of type" ];
    };
    nodesAsAList = {
      case = manifest { nodes = [ ]; };
      wanted = [ "`nodes' is not of type `attribute set of" ];
    };
    networkIsAList = {
      case = (mkNetwork { modules = [ ./fixtures/list-node/web.nix ]; }).manifest;
      wanted = [ "/fixtures/list-node/web.nix holds a list, and must hold a module of the network" ];
    };
    nixpkgsIsAWord = {
      case = (mkNetwork { modules = [ { network.nixpkgs = "nixpkgs"; } ]; }).manifest;
      wanted = [ "network.nixpkgs is \"nixpkgs\", and must be a path: ./nixpkgs without quotes" ];
    };
    wrongPlace = {
      case = manifest { nodes.web.deploy.build = "laptop"; };
      wanted = [ "nodes.web.deploy.build" "one of \"node\", \"deployer\"" "\"laptop\"" ];
    };
    nodeFileIsAList = {
      case = manifest ({ importNodes, ... }: { imports = [ (importNodes ./fixtures/list-node) ]; });
      wanted = [ "node web: " "/fixtures/list-node/web.nix holds a list, and must hold a module" ];
    };
    nodeFolderIsAString = {
      case = manifest ({ importNodes, ... }: { imports = [ (importNodes ./fixtures/string-node) ]; });
      wanted = [ "node web: " "/fixtures/string-node/web" "holds a string, and must hold a module" ];
    };
    importsANumber = {
      case = manifest (at "/net/a.nix" { nodes.web.imports = [ 3 ]; });
      wanted = [ "found a value of type int || cannot coerce an integer to a string || does not look like a module" ];
    };
    profileOfASystem = {
      case = manifest { nodes.web.profile.user = "alice"; };
      wanted = [ "node web: profile.user is set" "profile.kind to \"custom\"" ];
    };
    profileWithoutPackage = {
      case = (mkNetwork { modules = [ { network = { name = "a"; id = "1"; inherit nixpkgs; }; nodes.web = { nixpkgs = ../mini; profile.kind = "custom"; }; } ]; }).nodes.web.bundle.text;
      wanted = [ "nodes.web.profile.package" ];
    };
    homeWithoutUser = {
      case = manifest { nodes.web.profile.kind = "home-manager"; };
      wanted = [ "node web: profile.kind is \"home-manager\", and profile.user is not set: write nodes.web.profile.user = " ];
    };
    homeWithoutSource = {
      case = (mkNetwork { modules = [ { network = { name = "a"; id = "1"; inherit nixpkgs; }; nodes.web = { nixpkgs = ../mini; profile = { kind = "home-manager"; user = "alice"; }; }; } ]; }).nodes.web.bundle.text;
      wanted = [ "node web: profile.kind is \"home-manager\", and neither profile.source nor profile.package is set: write nodes.web.profile.source = inputs.home-manager;" ];
    };
    conflict = {
      case = manifest { imports = [ (at "/net/a.nix" { nodes.web.deploy.user = "a"; }) (at "/net/b.nix" { nodes.web.deploy.user = "b"; }) ]; };
      wanted = [ "`nodes.web.deploy.user' has conflicting definition values" "/net/a.nix" "/net/b.nix" ];
    };
    noName = {
      case = (mkNetwork { modules = [ { network = { id = "1"; inherit nixpkgs; }; } ]; }).manifest;
      wanted = [ "network.name is not set: write `network.name" ];
    };
    noId = {
      case = (mkNetwork { root = ./.; modules = [ { network = { name = "1"; inherit nixpkgs; }; } ]; }).manifest;
      wanted = [ "the file network-id is missing: `git deploy init` writes it" ];
    };
    allPins = {
      case = (mkNetwork { modules = [ { network.nixpkgs = { nixpkgs.outPath = ../mini; other.outPath = ./.; }; } ]; }).manifest;
      wanted = [ "a nixpkgs is wanted, and this is a set of: nixpkgs, other. Choose one, as in (import ./npins).nixpkgs" ];
    };
    folderOfPins = {
      case = (mkNetwork { modules = [ { network.nixpkgs = ./fixtures/npins; } ]; }).manifest;
      wanted = [ "fixtures/npins: there is no folder lib in it" "but pins: write (import PATH).nixpkgs" ];
    };
    importedNixpkgs = {
      case = (mkNetwork { modules = [ { network = { name = "a"; id = "1"; inherit nixpkgs; }; nodes.web.nixpkgs = import ../mini { system = "x86_64-linux"; }; } ]; }).nodes.web.system.drvPath;
      wanted = [ "this is what `import' makes of one: leave `import' and its arguments out" ];
    };
    nixpkgsAsFunction = {
      case = (mkNetwork { modules = [ { network.nixpkgs = import ../mini; } ]; }).manifest;
      wanted = [ "this is what `import' makes of one" ];
    };
    localPin = {
      case = (mkNetwork { modules = [ { network = { name = "a"; id = "1"; inherit nixpkgs; }; nodes.web.nixpkgs.outPath = "./nixpkgs"; } ]; }).nodes.web.system.drvPath;
      wanted = [ "node web: its nixpkgs is \"./nixpkgs\", and must be a path: " ];
    };
    noNetwork = {
      case = (import ../cli.nix { dir = toString ./fixtures; }).manifest;
      wanted = [ "no network in" "neither a flake.nix nor a network.nix" "git deploy init" ];
    };
    notNixpkgs = {
      case = (mkNetwork { modules = [ { network.nixpkgs = ./fixtures; } ]; }).manifest;
      wanted = [ "network.nixpkgs = " "there is no folder lib in it" ];
    };
    nodeWithoutNixos = {
      case = (mkNetwork { modules = [ { network = { name = "a"; id = "1"; inherit nixpkgs; }; nodes.web.nixpkgs = ./fixtures; } ]; }).nodes.web.system.drvPath;
      wanted = [ "node web: its nixpkgs" "has no nixos/lib/eval-config.nix: set nodes.web.nixpkgs" ];
    };
    addressTwice = {
      case = manifest { nodes = { web.deploy.host = "192.0.2.1"; db.deploy = { host = "192.0.2.1"; port = 22; }; }; };
      wanted = [ "two nodes have the same address: - nodes.db.deploy.host and nodes.web.deploy.host are 192.0.2.1:22: give each its own" ];
    };
    addressOfAnotherNode = {
      case = (network [ ({ importNodes, ... }: { imports = [ (importNodes ./fixtures/one-address) ]; }) ]).nodes.web.bundle.text;
      wanted = [ "two nodes have the same address: - nodes.db.deploy.host and nodes.web.deploy.host are 192.0.2.1:22: give each its own" ];
    };
    nameAsAnotherAddress = {
      case = (network [ { nodes = { web = { }; db.deploy.host = lib.mkForce "web"; }; } ]).nodes.db.bundle.text;
      wanted = [ "- nodes.db.deploy.host and nodes.web.deploy.host are web:22" ];
    };
    undeclaredNode = {
      case = manifest { nodes = { web.deploy.host = "192.0.2.1"; mail = { }; }; imports = [ ./fixtures/adds.nix ]; };
      wanted = [
        "the network test fails its own assertions: - "
        "/fixtures/adds.nix sets nodes.wbe.configuration, and nothing declares a node wbe (nodes: mail, web): did you mean nodes.web? For a new node, write more than its configuration there, such as nodes.wbe.deploy.host = \"wbe\";"
      ];
    };
    undeclaredNodeOfBundle = {
      case = (network [ { nodes.web = { }; imports = [ { _file = "/net/a.nix"; nodes.wbe = lib.mkIf true { configuration = { }; }; } ]; } ]).nodes.web.bundle.text;
      wanted = [ "- /net/a.nix sets nodes.wbe.configuration, and nothing declares a node wbe (nodes: web)" ];
    };
    noSuchNode = {
      case = manifest ({ lookup, ... }: { nodes.web = { }; nodes.db.deploy.user = (lookup.node "wbe").deploy.user; });
      wanted = [ "there is no node wbe (nodes: db, web): add nodes.wbe to the network, or name one of these" ];
    };
    noSuchTag = {
      case = manifest ({ lookup, ... }: { nodes.web.deploy.tags = [ "server" ]; nodes.db.deploy.user = lib.head (lookup.tagged "sever"); });
      wanted = [ "no node has the tag sever (tags: server): write nodes.<name>.deploy.tags = [ \"sever\" ]; for those that should" ];
    };
    networkAssertion = {
      case = manifest { assertions = [ { assertion = false; message = "nobody serves"; } { assertion = true; message = "no"; } ]; };
      wanted = [ "the network test fails its own assertions: - nobody serves" ];
    };
    networkAssertionOfBundle = {
      case = (mkNetwork { modules = [ { network = { name = "a"; id = "1"; nixpkgs = ../mini; }; nodes.web = { }; assertions = [ { assertion = false; message = "nobody serves"; } ]; } ]; }).nodes.web.bundle.text;
      wanted = [ "the network a fails its own assertions: - nobody serves" ];
    };
    sameCheckTwice = {
      case = health { tcp.a.port = 1; command.a.command = [ "x" ]; };
      wanted = [ "node web: two health checks are called a: rename one" "nodes.web.health.{http,tcp,command,file,units}" ];
    };
    samePreSwitchCheckTwice = {
      case = health { preSwitch = { tcp.a.port = 1; command.a.command = [ "x" ]; }; };
      wanted = [ "two health checks are called a" "nodes.web.health.preSwitch.{" ];
    };
    unknownCheckField = {
      case = health { http.site = { url = "http://a"; code = 204; }; };
      wanted = [ "The option `nodes.web.health.http.site.code' does not exist" ];
    };
    unknownKindOfCheck = {
      case = health { icmp.gateway.host = "a"; };
      wanted = [ "The option `nodes.web.health.icmp' does not exist" ];
    };
    checkFromElsewhere = {
      case = health { tcp.smtp = { port = 25; from = "laptop"; }; };
      wanted = [ "`nodes.web.health.tcp.smtp.from' is not of type `one of \"node\", \"deployer\"'" "\"laptop\"" ];
    };
    preSwitchFromElsewhere = {
      case = health { preSwitch.tcp.smtp = { port = 25; from = "deployer"; }; };
      wanted = [ "The option `nodes.web.health.preSwitch.tcp.smtp.from' does not exist" ];
    };
    unitsWithoutUnits = {
      case = health { units.web = { }; };
      wanted = [ "node web: health.units.web names no units: write health.units.web.units = [ \"nginx.service\" ];" ];
    };
    preSwitchUnitsWithoutUnits = {
      case = health { preSwitch.units.web = { }; };
      wanted = [ "node web: health.preSwitch.units.web names no units: write health.preSwitch.units.web.units = " ];
    };
    commandWithoutCommand = {
      case = health { command.ready = { }; };
      wanted = [ "The option `nodes.web.health.command.ready.command' " "no value defined || used but not defined" ];
    };
    urlWithoutScheme = {
      case = health { http.site.url = "localhost:80"; };
      wanted = [ "node web: health.http.site has the url \"localhost:80\": write one that begins with http:// or https://" ];
    };
    caAndInsecure = {
      case = health { http.site = { url = "https://a"; ca = "/ca.pem"; insecure = true; }; };
      wanted = [ "node web: health.http.site sets both ca and insecure" ];
    };
    absentWithAge = {
      case = health { file.lock = { path = "/lock"; absent = true; maxAge = 3; }; };
      wanted = [ "node web: health.file.lock sets absent together with body or maxAge" ];
    };
    relativePath = {
      case = health { file.lock.path = "lock"; };
      wanted = [ "`nodes.web.health.file.lock.path' is not of type `absolute path'" ];
    };

    failedAssertion = {
      case = (mkNetwork {
        modules = [
          {
            network = { name = "a"; id = "1"; inherit nixpkgs; };
            nodes.web = {
              nixpkgs = ../mini;
              configuration.assertions = [ { assertion = false; message = "two and two make four"; } ];
            };
          }
        ];
      }).nodes.web.bundle.text;
      wanted = [ "node web: its configuration fails its own assertions:" "- two and two make four" ];
    };

    # --- the module system, in the same words in mini and nixpkgs

    undeclared = {
      case = config [ int (at "/m/a.nix" { a.z = 1; }) ];
      wanted = [ "The option `a.z' does not exist. Definition values:" "- In `/m/a.nix': 1" ];
    };
    notDefined = {
      case = config [ int ];
      wanted = [ "The option `a.x' was accessed but has no value defined. Try setting the option. || The option `a.x' is used but not defined." ];
    };
    notOfType = {
      case = config [ int (at "/m/a.nix" { a.x = "1"; }) ];
      wanted = [ "A definition for option `a.x' is not of type `signed integer'. Definition values:" "- In `/m/a.nix': \"1\"" ];
    };
    conflicting = {
      case = config [ int (at "/m/a.nix" { a.x = 1; }) (at "/m/b.nix" { a.x = 2; }) ];
      wanted = [
        "The option `a.x' has conflicting definition values:"
        "- In `/m/a.nix': 1"
        "- In `/m/b.nix': 2"
        "Use `lib.mkForce value` or `lib.mkDefault value` to change the priority on any of these definitions."
      ];
    };
    unique = {
      case = config [ { options.x = mkOption { type = types.raw; }; } { x = 1; } { x = 2; } ];
      wanted = [ "The option `x' is defined multiple times while it's expected to be unique." ];
    };
    readOnly = {
      case = config [ { options.x = mkOption { type = types.int; readOnly = true; default = 1; }; } { x = 2; } ];
      wanted = [ "The option `x' is read-only, but it's set multiple times." ];
    };
    declaredTwice = {
      case = config [
        { _file = "/m/a.nix"; options.x = mkOption { type = types.int; }; }
        { _file = "/m/b.nix"; options.x = mkOption { type = types.str; }; }
        { x = 1; }
      ];
      wanted = [ "The option `x' in `/m/a.nix' is already declared in `/m/b.nix'" ];
    };
    mixedSyntax = {
      case = config [ { _file = "/m/a.nix"; options = { }; y = 1; } ];
      wanted = [ "has an unsupported attribute `y'. This is caused by introducing a top-level `config' or `options' attribute." ];
    };
    inSubmodule = {
      case = config [
        { options.x = mkOption { type = types.attrsOf (types.submodule int); }; }
        (at "/m/a.nix" { x.bob.a.x = "no"; })
      ];
      wanted = [ "A definition for option `x.bob.a.x' is not of type `signed integer'" "/m/a.nix" ];
    };
    missingArgument = {
      case = config [ int ({ nothing, ... }: { a.x = nothing; }) ];
      wanted = [ "attribute 'nothing' missing" ];
    };
    enumChoices = {
      case = config [ { options.x = mkOption { type = types.enum [ "a" "b" ]; }; } { x = "c"; } ];
      wanted = [ "`x' is not of type `one of \"a\", \"b\"'" ];
    };
    setExpected = {
      case = config [ int { a = 1; } ];
      wanted = [ "you're trying to define a value of type `int'" "rather than an attribute set for the option" "`a'!" ];
    };
    nullMixed = {
      case = config [ { options.x = mkOption { type = types.nullOr types.int; }; } { x = 1; } { x = null; } ];
      wanted = [ "The option `x` is defined both null and not null, in" ];
    };
    declaredInConfig = {
      case = config [ int { a.y = mkOption { type = types.int; }; } ];
      wanted = [ "The option `a.y' does not exist." "_type = \"option\";" ];
    };
    similarName = {
      case = config [ { options.a.colour = mkOption { type = types.int; }; } { a.color = 1; } ];
      wanted = [ "The option `a.color' does not exist." "Did you mean `a.colour' || `<unknown-file>': 1" ];
    };
    unknownInSubmodule = {
      case = config [ { options.x = mkOption { type = types.attrsOf (types.submodule int); }; } (at "/m/a.nix" { x.bob.b = 1; }) ];
      wanted = [ "The option `x.bob.b' does not exist. Definition values:" "- In `/m/a.nix': 1" ];
    };
    inList = {
      case = config [ { options.x = mkOption { type = types.listOf types.int; }; } { x = [ 1 "a" ]; } ];
      wanted = [ "A definition for option `x.\"[definition 1-entry 2]\"' is not of type `signed integer'" ];
    };
    freeformType = {
      case = config [ { freeformType = types.attrsOf types.int; } (at "/m/a.nix" { y = "a"; }) ];
      wanted = [ "A definition for option `y' is not of type `signed integer'. Definition values:" "- In `/m/a.nix': \"a\"" ];
    };
    removedOption = {
      case = config [ { options.assertions = mkOption { type = types.unspecified; default = [ ]; }; } (lib.mkRemovedOptionModule [ "old" ] "Use new.") ({ config, ... }: { options.y = mkOption { default = config.old; }; }) ];
      wanted = [ "The option `old' can no longer be used since it's been removed. Use new." ];
    };
    renamedToNothing = {
      case = config [ (lib.mkAliasOptionModule [ "old" ] [ "new" ]) { old = 1; } ];
      wanted = [ "Renaming error: option `new' does not exist. || The option `new' does not exist." ];
    };
    uniqueMessage = {
      case = config [ { options.x = mkOption { type = types.unique { message = "One is enough."; } types.int; }; } (at "/m/a.nix" { x = 1; }) { x = 2; } ];
      wanted = [ "The option `x' is defined multiple times while it's expected to be unique." "One is enough." "- In `/m/a.nix': 1" ];
    };
    failedAssert = {
      case = config [ int { a.x = lib.mkAssert false "x needs y" 1; } ];
      wanted = [ "Failed assertion: x needs y" ];
    };
    wrongClass = {
      case = (lib.evalModules { class = "nixos"; modules = [ int { _file = "/m/a.nix"; _class = "home"; } ]; }).config;
      wanted = [ "The module" "/m/a.nix" "cannot be imported into a module evaluation that expects class \"nixos\" || was imported into nixos instead of home" ];
    };
    twoTags = {
      case = config [ { options.x = mkOption { type = types.attrTag { a = mkOption { type = types.int; }; b = mkOption { type = types.int; }; }; }; } { x.a = 1; } { x.b = 2; } ];
      wanted = [ "The option `x` is defined both as `" ];
    };
    strLines = {
      case = config [ { options.x = mkOption { type = types.str; }; } (at "/m/a.nix" { x = "one\ntwo"; }) (at "/m/b.nix" { x = { a.b.c = [ 1 2 ]; }; }) ];
      wanted = [ "A definition for option `x' is not of type `string'. Definition values:" "- In `/m/b.nix': { a = { b = { c = [ 1 ..." ];
    };
    parentOfOptions = {
      case = config [ { options.x = mkOption { type = types.int; }; } { options.x.y = mkOption { type = types.int; }; } { x = 1; } ];
      wanted = [ "The option `x' in" "would be a parent of the following options, but its type `signed integer' does not support nested options." ];
    };
  }
  // import ./errors/modules.nix { inherit lib mkNetwork nixpkgs; };
in
{
  cases = builtins.mapAttrs (_: c: c.case) all;
  wanted = builtins.mapAttrs (_: c: c.wanted) all;
  # These are the words of module systems since deferred modules.
  modern = types ? deferredModule;
}
