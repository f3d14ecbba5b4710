# Every node knows every other by name, without DNS.
{ nixlib, ... }:
{
  network.name = "hosts";
  network.nixpkgs = nixlib + "/mini"; # yours: <nixpkgs>, a path or a pin

  nodes = {
    web.deploy.host = "192.0.2.11";
    db.deploy.host = "192.0.2.12";
    store.deploy.host = "store.example.org";
  };

  hosts = {
    enable = true;
    domain = "lan";
    aliases.web = [ "www.example.org" ];
    addresses.store = [
      "192.0.2.13"
      "2001:db8::13"
    ];
  };
}
