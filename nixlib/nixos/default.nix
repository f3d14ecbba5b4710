# The NixOS module of a node: what a machine needs so that it can be deployed
# to and settles what a reboot interrupted. Every node of a network has it;
# plain nixosConfigurations may import it.
{ lib, ... }:
let
  compat = import ../lib/compat.nix { inherit lib; };
in
{
  imports = [
    ./tool.nix
    ./units.nix
    ./watch.nix
    ./boot-once.nix
  ];

  # Where nobody sets any of them, a module system need not read these files.
  options.git-deploy = {
    deploy = import ./deploy.nix { inherit lib compat; };
    health = import ../modules/health { inherit lib compat; };
  };
}
