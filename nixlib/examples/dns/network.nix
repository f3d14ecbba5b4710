# Two nodes serve a zone; a third declares a name in it.
{ nixlib, ... }:
{
  network.name = "dns";
  network.nixpkgs = nixlib + "/mini"; # yours: <nixpkgs>, a path or a pin

  nodes = {
    ns1.deploy.host = "192.0.2.1";
    ns2.deploy.host = "192.0.2.2";
    web = {
      deploy.host = "192.0.2.11";
      dns.records = [
        {
          name = "www.example.org";
          value = "192.0.2.11";
        }
      ];
    };
  };

  dns.zones."example.org" = {
    servers = [
      "ns1"
      "ns2"
    ];
    records = [
      {
        name = "example.org";
        type = "TXT";
        value = "v=spf1 -all";
      }
    ];
  };
}
