# web copies files to store, and may do nothing else there. Its public key is
# in ssh/, the host keys are in known_hosts.
{ nixlib, ... }:
{
  network.name = "ssh";
  network.nixpkgs = nixlib + "/mini"; # yours: <nixpkgs>, a path or a pin

  nodes = {
    web = { };
    store = {
      deploy.host = "store.example.org";
      configuration.users.users.mirror.isNormalUser = true;
    };
  };

  ssh.access.mirror = {
    from.nodes = [ "web" ];
    to.nodes = [ "store" ];
    to.user = "mirror";
    command = "internal-sftp";
  };
}
