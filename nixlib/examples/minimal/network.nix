# The smallest network: one machine.
{ nixlib, ... }:
{
  network.name = "minimal";
  network.nixpkgs = nixlib + "/mini"; # yours: <nixpkgs>, a path or a pin

  nodes.web = {
    deploy.host = "web.example.org";
    configuration = {
      environment.etc."motd".text = "Deployed with git push.\n";
    };
  };
}
