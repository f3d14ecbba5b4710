# Networks for tests, and what is read of them. With a real nixpkgs, systems are
# evaluated where that has NixOS.
{ lib, nixpkgs }:
let
  inherit (import ../. { }) mkNetwork;
in
rec {
  # Without all of nixpkgs (a checkout of lib alone) no system is evaluated.
  hasNixos = lib.all (file: builtins.pathExists (nixpkgs + file)) [
    "/default.nix"
    "/nixos/lib/eval-config.nix"
  ];

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
        }
      ]
      ++ modules;
    };
  manifest = modules: (network modules).manifest;
  node = modules: (manifest modules).nodes.web; # in the manifest
  configOf = name: modules: (network modules).nodes.${name}.config;

  boom = throw "this must not be read";

  # deploy.json of the node web, whose system is mini's.
  bundle =
    modules:
    builtins.fromJSON (
      builtins.unsafeDiscardStringContext (network (modules ++ [ { nodes.web.nixpkgs = ../mini; } ])).nodes.web.bundle.text
    );
  # One check as it is in the bundle.
  check = kind: c: lib.head (bundle [ { nodes.web.health.${kind}.c = c; } ]).health;
  patience = { timeout = 5; interval = 1; retries = 10; initialDelay = 0; };

  # Settings by the module system, for comparison with those read fast.
  slowly = module: { ... }: { imports = [ module ]; };
  both = defaults: web: {
    expr = (manifest [ { inherit defaults; nodes.web = web; } ]).nodes.web;
    expected = (manifest [ { defaults = slowly defaults; nodes.web = slowly web; } ]).nodes.web;
  };
}
