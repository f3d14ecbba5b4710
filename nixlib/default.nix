# nixlib: networks of NixOS machines, described in one module system.
#
#   import ./nixlib { }  ->  { mkNetwork, mkNetworkOf, nixosModule, ... }
#
# mkNetwork evaluates a network; ./cli.nix is what the program calls.
{ }:
let
  mkNetwork = import ./lib/network.nix;
in
{
  inherit mkNetwork;

  # For `nixosConfigurations` of flakes: options `git-deploy.*` inside a NixOS
  # configuration, and what a node needs to be deployed to.
  nixosModule = ./nixos;

  # For flake-parts: the option `gitDeploy`.
  flakeModule = ./flake-module.nix;

  # Folder of this library, as the module argument `nixlib` gives it.
  path = ./.;
}
