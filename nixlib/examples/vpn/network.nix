# A private network: a gateway that is always there, a NAS at home with the
# network behind it, and a laptop that is anywhere. Public keys are in vpn/home.
{ nixlib, ... }:
{
  network.name = "vpn";
  network.nixpkgs = nixlib + "/mini"; # yours: <nixpkgs>, a path or a pin

  nodes = {
    gateway.deploy.host = "vpn.example.org";
    nas = { };
    laptop = { };
  };

  vpn.networks.home = {
    subnets = [
      "10.10.0.0/16"
      "fd42:10:10::/64"
    ];
    server = "gateway";
    nodes = {
      gateway = { };
      laptop = { };
      nas = {
        addresses = [ "10.10.0.2" ]; # one that people know by heart
        routes = [ "192.168.1.0/24" ];
      };
    };
  };
}
