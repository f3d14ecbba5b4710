# What colmena.lib.makeHive makes of a hive, without the hive itself.
{
  inputs.nixpkgs = {
    url = "path:MINI";
    flake = false;
  };
  outputs =
    { self, nixpkgs }:
    {
      # OUTPUT
      colmenaHive = {
        __schema = "v0.5";
        nodes.host-a = import (nixpkgs + "/nixos/lib/eval-config.nix") {
          system = "x86_64-linux";
          modules = [ { environment.etc.motd.text = "from a flake"; } ];
        };
        deploymentConfig.host-a = {
          targetHost = "somehost.example.org";
          targetPort = 1234;
          targetUser = "luser";
          tags = [ "web" ];
          buildOnTarget = true;
          keys = { };
          sshOptions = [ ];
          privilegeEscalationCommand = [ "sudo" "-H" "--" ];
          replaceUnknownProfiles = true;
          allowLocalDeployment = false;
        };
        metaConfig = {
          name = "my-hive";
          allowApplyAll = false;
        };
      };
    };
}
