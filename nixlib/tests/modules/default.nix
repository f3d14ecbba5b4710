# Tests of the modules that come with nixlib: a suite for each file here.
{ lib, nixpkgs }:
let
  inherit (import ../../. { }) mkNetwork;

  # The modules of NixOS itself where nixpkgs has them, else those of mini.
  real = builtins.pathExists (nixpkgs + "/nixos/modules/services/networking/wireguard.nix");
  nixos = if real then nixpkgs else ../../mini;

  network =
    modules:
    mkNetwork {
      modules = [
        {
          network = {
            name = "test";
            id = "1";
            inherit nixpkgs;
          };
          defaults.nixpkgs = nixos;
        }
      ]
      ++ modules;
    };

  tools = {
    inherit lib network real;
    # The configuration of a node.
    configOf = name: modules: (network modules).nodes.${name}.config;
    # Settings of the network itself.
    settings = modules: (network modules).config;
    boom = throw "this must not be read";
    example = name: import ../../cli.nix { dir = toString ../../examples + "/${name}"; };
    # Whether an evaluation fails.
    fails = value: !(builtins.tryEval (builtins.deepSeq value value)).success;
    # Public keys, one as good as another.
    key = letter: "${lib.concatStrings (builtins.genList (_: letter) 43)}=";
  };
in
lib.genAttrs [
  "addresses"
  "backups"
  "dns"
  "groups"
  "hosts"
  "monitoring"
  "ssh"
  "vpn"
] (suite: import (./. + "/${suite}.nix") tools)
