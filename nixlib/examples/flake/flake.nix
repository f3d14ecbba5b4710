# A network as a flake. Yours has inputs:
#
#   inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-24.11";
#
# and its gitDeploy may also be what `inputs.git-deploy.lib.mkNetwork { … }`
# returns; a network module, as here, is evaluated by the tool's own nixlib.
{
  description = "a network";

  outputs =
    { self }:
    {
      gitDeploy =
        { nixlib, ... }:
        {
          network = {
            name = "flake";
            nixpkgs = nixlib + "/mini"; # yours: inputs.nixpkgs
          };

          nodes.web = {
            deploy.host = "web.example.org";
            configuration = {
              nixpkgs.hostPlatform = "x86_64-linux";
              environment.etc."motd".text = "From a flake.\n";
            };
          };
        };
    };
}
