# All modules of a network: one group of options a file.
{
  imports = [
    ./network.nix
    ./assertions.nix
    ./defaults.nix
    ./groups.nix
    ./nodes.nix
    ./vpn
    ./hosts
    ./dns
    ./ssh
    ./monitoring
    ./backups
  ];
}
