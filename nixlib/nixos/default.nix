# The NixOS module of a node: what a machine needs so that it can be deployed
# to and settles what a reboot interrupted. Every node of a network has it;
# plain nixosConfigurations may import it.
{
  imports = [
    ./tool.nix
    ./sshd.nix
    ./units.nix
    ./watch.nix
    ./health.nix
    ./deploy.nix
    ./boot-once.nix
  ];
}
