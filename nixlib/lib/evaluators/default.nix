# How a node's `configuration` is evaluated, by profile.kind: by the node's
# nixpkgs for a NixOS system, by profile.source for the others. Each yields at
# least `config`.
{
  lib,
  # Of the node.
  name,
  node,
  modules,
  specialArgs,
}@args:
let
  inherit (node.profile) kind;
in
import {
  nixos = ./nixos.nix;
  home-manager = ./home-manager.nix;
  nix-darwin = ./nix-darwin.nix;
  system-manager = ./system-manager.nix;
  custom = ./custom.nix;
}
.${kind} (if kind == "nixos" then args else args // import ./source.nix args)
