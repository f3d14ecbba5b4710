# mini: a miniature of nixpkgs for the demo and the tests of git-deploy, so
# that both run without nixpkgs. Call it as you would call nixpkgs:
#
#   pkgs = import ./mini { system = "x86_64-linux"; };
#
# It has `lib` with a real module system, trivial builders, and (in nixos/) a
# tiny system that can be switched to. It builds with /bin/sh and a handful of
# programs of the host; nothing outside the demo and the tests may use it.
{
  system ? localSystem.system or builtins.currentSystem,
  localSystem ? { },
  config ? { },
  overlays ? [ ],
}:
let
  lib = import ./lib;
  inherit (lib) extends fix composeManyExtensions;

  packages =
    final:
    let
      builders = import ./pkgs/builders.nix {
        inherit lib system;
      };
      host = import ./pkgs/host.nix {
        inherit lib;
        inherit (builders) runCommand;
      };
    in
    builders
    // host
    // {
      _type = "pkgs";
      inherit
        lib
        system
        config
        overlays
        ;
      pkgs = final;
      path = ./.;
      callPackage =
        f: args:
        let
          fn = if lib.isFunction f then f else import f;
        in
        fn (builtins.intersectAttrs (lib.functionArgs fn) final // args);
      extend = overlay: fix (extends overlay (_: final));
      stdenv = {
        hostPlatform = lib.systems.elaborate system;
        buildPlatform = lib.systems.elaborate system;
        inherit system;
      };
    };
in
fix (extends (composeManyExtensions overlays) packages)
