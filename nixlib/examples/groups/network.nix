# What all servers have, what all machines in Berlin have, what all have.
{ lib, nixlib, ... }:
let
  inherit (lib) mkDefault;
in
{
  network.name = "groups";
  network.nixpkgs = nixlib + "/mini"; # yours: <nixpkgs>, a path or a pin

  nodes = {
    web.deploy.tags = [
      "server"
      "berlin"
    ];
    db.deploy.tags = [ "server" ];
    laptop = { };
  };

  defaults.deploy.timeouts.confirm = mkDefault 60;

  groups = {
    server =
      { name, ... }:
      {
        deploy.timeouts.confirm = 120;
        configuration = {
          services.openssh.enable = true;
          environment.etc."issue".text = "${name}, a server\n";
        };
      };
    berlin.configuration.environment.etc."site".text = "Berlin\n";
  };
}
