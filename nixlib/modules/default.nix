# All modules of a network: one group of options a file.
{
  imports = [
    ./internal.nix
    ./network.nix
    ./assertions.nix
    ./defaults.nix
    ./groups.nix
    ./nodes.nix
    ./vpn
    ./hosts.nix
    ./dns
    ./ssh
    ./monitoring
    ./backups
  ];
}
