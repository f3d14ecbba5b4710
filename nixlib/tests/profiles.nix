# Profiles beside NixOS systems, with miniatures of the tools that evaluate them.
{ lib, nixpkgs }:
let
  inherit (import ../. { }) mkNetwork;

  network =
    nodes:
    mkNetwork {
      modules = [
        {
          network = {
            name = "test";
            id = "1";
            inherit nixpkgs;
          };
          defaults.nixpkgs = ../mini;
          inherit nodes;
        }
      ];
    };
  bundle = node: builtins.fromJSON (builtins.unsafeDiscardStringContext (network { inherit node; }).nodes.node.bundle.text);
  profile = node: (network { inherit node; }).manifest.nodes.node.profile;
  named = name: path: builtins.match ".*-${name}" path != null;
  fails = expr: { inherit expr; expected = "fails"; };

  systemManager = import ./fixtures/system-manager.nix { nixpkgs = ../mini; };
  home = {
    profile = { kind = "home-manager"; user = "alice"; source = ./fixtures/home-manager; };
    configuration.home.username = "alice";
  };
in
{
  homeManager = {
    expr = let b = bundle home; in [ b.profile (named "home-manager-generation" b.system) ];
    expected = [
      { kind = "home-manager"; name = "home-manager"; path = ""; user = "alice"; activate = [ "activate" ]; order = 100; }
      true
    ];
  };
  # Its modules get what those of NixOS get.
  homeManagerSeesTheNetwork = {
    expr = (network {
      home = lib.recursiveUpdate home {
        configuration = { name, nodes, pkgs, ... }: { home = { username = "alice"; file.a = "${name} of ${nodes.pc.configuration.networking.hostName} ${pkgs.system}"; }; };
        profile.platform = "aarch64-linux";
      };
      pc = { };
    }).nodes.home.config.home.file.a;
    expected = "home of pc aarch64-linux";
  };
  homeManagerWarns = {
    expr = (bundle (lib.recursiveUpdate home { configuration.warnings = [ "mind" ]; })).warnings;
    expected = [ "mind" ];
  };
  homeManagerAsserts = fails (bundle (lib.recursiveUpdate home { configuration.assertions = [ { assertion = false; message = "no"; } ]; }));
  homeManagerNeedsAUser = fails (profile { profile.kind = "home-manager"; });
  homeManagerNeedsASource = fails (bundle { profile = { kind = "home-manager"; user = "alice"; }; });
  # What home-manager itself has built.
  homeManagerPackage = {
    expr = let b = bundle { profile = { kind = "home-manager"; user = "alice"; package = (import ../mini { }).writeText "generation" ""; }; }; in [ (named "generation" b.system) b.profile.activate ];
    expected = [ true [ "activate" ] ];
  };
  manifestReadsNoConfiguration = {
    expr = (profile { profile = { kind = "home-manager"; user = "alice"; source = throw "read"; name = "home"; order = 7; }; configuration = throw "read"; });
    expected = { kind = "home-manager"; name = "home"; path = ""; user = "alice"; activate = [ "activate" ]; order = 7; };
  };

  nixDarwin = {
    expr = let
      n = (network { node = { profile = { kind = "nix-darwin"; source = ./fixtures/nix-darwin; platform = "aarch64-darwin"; }; configuration.system.defaults.dock = true; }; });
    in [ n.manifest.nodes.node.profile n.nodes.node.bundle.system n.nodes.node.config.system.defaults ];
    expected = [
      { kind = "nix-darwin"; name = "darwin"; path = "/nix/var/nix/profiles/system"; user = "root"; activate = [ "activate" ]; order = 0; }
      "aarch64-darwin"
      { dock = true; }
    ];
  };

  systemManager = {
    expr = let
      b = bundle { profile = { kind = "system-manager"; source = systemManager; }; configuration = { nixpkgs.hostPlatform = "x86_64-linux"; environment.etc.motd = "hello"; }; };
    in [ b.profile (named "system-manager" b.system) ];
    expected = [
      {
        kind = "system-manager";
        name = "system-manager";
        path = "/nix/var/nix/profiles/system-manager-profiles/system-manager";
        user = "root";
        activate = [ "bin/activate" ];
        order = 0;
      }
      true
    ];
  };
  systemManagerMustBeAFlake = fails (bundle { profile = { kind = "system-manager"; source = ./fixtures; }; });
}
