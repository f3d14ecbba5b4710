{
  description = "git-deploy: deploy networks of NixOS machines with git push";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs.lib) genAttrs;
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      forAll = f: genAttrs systems (system: f nixpkgs.legacyPackages.${system});
    in
    {
      # mkNetwork describes a network in a flake; see docs/guide.md.
      lib = import ./nixlib { };

      packages = forAll (pkgs: {
        default = pkgs.callPackage ./package.nix { revision = self.shortRev or self.dirtyShortRev or "unknown"; };
      });

      # For flakes made with flake-parts: the option gitDeploy.
      flakeModules.default = ./nixlib/flake-module.nix;

      # What a node needs: the tool, git, sshd's ExposeAuthInfo, the recovery unit.
      nixosModules.default =
        { lib, pkgs, ... }:
        {
          imports = [ ./nixlib/nixos ];
          git-deploy.package =
            lib.mkDefault
              self.packages.${pkgs.stdenv.hostPlatform.system}.default;
        };

      devShells = forAll (pkgs: {
        default = import ./shell.nix { inherit pkgs; };
      });
    };
}
