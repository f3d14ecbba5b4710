# Two web servers and a gateway that knows them. One module of the network
# (./balance.nix) sets options of all three.
{
  lib,
  nixlib,
  importNodes,
  ...
}:
let
  inherit (lib) mkDefault;
in
{
  imports = [
    ./balance.nix
    (importNodes ./nodes)
  ];

  network = {
    name = "web";
    nixpkgs = nixlib + "/mini"; # yours: <nixpkgs>, a path or a pin
  };

  defaults = {
    deploy.timeouts.confirm = mkDefault 60;
    configuration =
      { name, ... }:
      {
        environment.etc."issue".text = "${name} of the network web\n";
      };
  };

  # Which nodes serve, and on which port.
  balance = {
    gateway = "gateway";
    backends = [
      "web1"
      "web2"
    ];
    port = 8080;
  };
}
