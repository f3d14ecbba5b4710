# A hive in a flake, as colmena's manual shows it.
{
  inputs.nixpkgs = {
    url = "path:MINI";
    flake = false;
  };
  outputs =
    { self, nixpkgs }:
    {
      # OUTPUT
      colmena = {
        meta = {
          name = "our hive";
          nixpkgs = import nixpkgs { system = "aarch64-linux"; };
          specialArgs.motd.environment.etc.motd.text = "from a flake";
        };
        host-a =
          { motd, pkgs, ... }:
          {
            imports = [ motd ];
            environment.etc.platform.text = pkgs.stdenv.hostPlatform.system;
            deployment.tags = [ "web" ];
          };
      };
    };
}
