# A system of NixOS, by the node's nixpkgs, with what every node needs.
{
  lib,
  name,
  node,
  modules,
  specialArgs,
}:
let
  find = import ../nixpkgs.nix;
  inherit (node) nixpkgs;
  evalConfig = find.evalConfig name nixpkgs;
  accepts = builtins.functionArgs evalConfig;
in
evalConfig (
  {
    modules = [
      ../../nixos
      {
        _file = ./nixos.nix;
        # A host name is one label; a node may be called web.example.org.
        networking.hostName = lib.mkDefault (lib.head (lib.splitString "." name));
      }
    ]
    ++ modules;
  }
  // (if accepts ? specialArgs then { inherit specialArgs; } else { extraArgs = specialArgs; })
  # Not every nixpkgs finds its own.
  // (if accepts ? lib then { lib = find.lib nixpkgs; } else { })
  # Pure evaluation has no current system: the configuration must say it.
  // (if builtins ? currentSystem then { } else { system = null; })
)
