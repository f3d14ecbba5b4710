# How a node's `configuration` is evaluated, by profile.kind: by the node's
# nixpkgs for a NixOS system, by profile.source for the others. Each yields at
# least `config`.
{
  lib,
  # Of the node.
  name,
  node,
  modules,
  specialArgs,
}:
let
  inherit (lib) mkDefault;
  find = import ./nixpkgs.nix;
  inherit (node) nixpkgs;
  inherit (node.profile) kind platform;

  source =
    if node.profile.source == null then
      throw "node ${name}: profile.kind is \"${kind}\", and neither profile.source nor profile.package is set: write nodes.${name}.profile.source = inputs.${kind}; (a path or a pin does too), or profile.package = the package that its own tools build"
    else
      node.profile.source;
  path = find.toPath source;

  pkgs = import (find.toPath nixpkgs) (
    if platform != null then
      { system = platform; }
    else if builtins ? currentSystem then
      { }
    else
      throw "node ${name}: a flake must say for which platform it is: write nodes.${name}.profile.platform = \"x86_64-linux\";"
  );
in
{
  nixos =
    let
      evalConfig = find.evalConfig name nixpkgs;
      accepts = builtins.functionArgs evalConfig;
    in
    evalConfig (
      {
        modules = [
          ../nixos
          {
            _file = ./evaluators.nix;
            # A host name is one label; a node may be called web.example.org.
            networking.hostName = mkDefault (lib.head (lib.splitString "." name));
          }
        ]
        ++ modules;
      }
      // (if accepts ? specialArgs then { inherit specialArgs; } else { extraArgs = specialArgs; })
      # Not every nixpkgs finds its own.
      // (if accepts ? lib then { lib = find.lib nixpkgs; } else { })
      # Pure evaluation has no current system: the configuration must say it.
      // (if builtins ? currentSystem then { } else { system = null; })
    );

  home-manager = import (path + "/modules") {
    inherit pkgs;
    configuration.imports = modules;
    extraSpecialArgs = specialArgs;
  };

  nix-darwin = import (path + "/eval-config.nix") {
    lib = find.lib nixpkgs;
    inherit specialArgs;
    modules = [
      {
        _file = ./evaluators.nix;
        nixpkgs =
          {
            source = mkDefault (find.toPath nixpkgs);
          }
          // (if platform == null then { } else { hostPlatform = mkDefault platform; });
      }
    ]
    ++ modules;
  };

  system-manager =
    if source ? lib.makeSystemConfig then
      let
        system = source.lib.makeSystemConfig {
          inherit specialArgs;
          modules = [
            (if platform == null then { } else { nixpkgs.hostPlatform = mkDefault platform; })
          ]
          ++ modules;
        };
      in
      {
        config = system.config or { };
        inherit system;
      }
    else
      throw "node ${name}: profile.source must be the flake system-manager (one with lib.makeSystemConfig): write nodes.${name}.profile.source = inputs.system-manager;";

  # Packages come with their own configuration.
  custom = {
    config = { };
    inherit pkgs;
  };
}
.${kind}
