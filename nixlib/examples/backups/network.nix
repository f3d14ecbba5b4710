# Two machines are backed up to a third. The clients' public keys are in ssh/,
# the host keys are in known_hosts.
{ nixlib, ... }:
{
  network.name = "backups";
  network.nixpkgs = nixlib + "/mini"; # yours: <nixpkgs>, a path or a pin

  nodes = {
    web = { };
    mail = { };
    store.deploy.host = "store.example.org";
  };

  backups.nightly = {
    server = "store";
    clients = [
      "web"
      "mail"
    ];
    paths = [
      "/var/lib"
      "/home"
    ];
    exclude = [ "/home/*/.cache" ];
  };
}
