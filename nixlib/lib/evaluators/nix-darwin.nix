# The system of a Mac, by nix-darwin.
{
  lib,
  node,
  path,
  modules,
  specialArgs,
  ...
}:
let
  find = import ../nixpkgs.nix;
  inherit (lib) mkDefault;
  inherit (node) nixpkgs;
  inherit (node.profile) platform;
in
import (path + "/eval-config.nix") {
  lib = find.lib nixpkgs;
  inherit specialArgs;
  modules = [
    {
      _file = ./nix-darwin.nix;
      nixpkgs =
        {
          source = mkDefault (find.toPath nixpkgs);
        }
        // (if platform == null then { } else { hostPlatform = mkDefault platform; });
    }
  ]
  ++ modules;
}
