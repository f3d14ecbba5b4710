# A hive as colmena's manual shows them: settings of the hive, defaults, a node
# that refers to another, and one with an address of its own.
{
  meta = {
    name = "my-hive";
    description = "Hosts of ours.";
    nixpkgs = import MINI {
      system = "aarch64-linux";
      overlays = [ (final: prev: { overlaid = "overlaid"; }) ];
      config.allowUnfree = true;
    };
    nodeNixpkgs.local = import MINI { system = "riscv64-linux"; };
    # Used in imports, as the inputs of a flake are.
    specialArgs.inputs.greeting = {
      environment.etc.greeting.text = "hello";
    };
    nodeSpecialArgs.host-b.motto = "hello";
    allowApplyAll = false;
    machinesFile = ./machines;
    unheardOf = true;
  };

  defaults =
    { lib, ... }:
    {
      environment.etc.hive.text = "one hive";
      deployment.replaceUnknownProfiles = lib.mkDefault true;
    };

  host-a =
    {
      name,
      nodes,
      pkgs,
      config,
      inputs,
      ...
    }:
    {
      imports = [ inputs.greeting ];
      environment.etc.packages.text = "${pkgs.overlaid}, ${pkgs.stdenv.hostPlatform.system}, ${toString config.nixpkgs.config.allowUnfree}";
      nixpkgs.config.own = true;
      deployment.tags = [ "web" ];
      deployment.buildOnTarget = true;
      networking.hostName = name;
      environment.etc.other.text = nodes.host-b.config.environment.etc.zone.text;
    };

  host-b =
    { motto, options, ... }:
    {
      environment.etc.system.text = toString options.nixpkgs.system.highestPrio;
      deployment = {
        targetHost = "somehost.example.org";
        targetPort = 1234;
        targetUser = "luser";
        keys."secret".keyCommand = [ "pass" ];
        sshOptions = [ "-C" ];
        privilegeEscalationCommand = [ "doas" ];
        replaceUnknownProfiles = false;
        allowLocalDeployment = true;
        targetEnv = "none";
      };
      nixpkgs.hostPlatform = "x86_64-linux";
      environment.etc.zone.text = "America/Los_Angeles, ${motto}";
    };

  local =
    { pkgs, ... }:
    {
      environment.etc.platform.text = pkgs.stdenv.hostPlatform.system;
      deployment = {
        targetHost = null;
        targetUser = null;
        allowLocalDeployment = true;
      };
    };
}
