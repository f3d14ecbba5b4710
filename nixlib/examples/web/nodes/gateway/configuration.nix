# An ordinary NixOS configuration.
{ name, ... }:
{
  environment.etc."motd".text = "Welcome to the ${name}.\n";
  networking.firewall.allowedTCPPorts = [
    80
    443
  ];
}
