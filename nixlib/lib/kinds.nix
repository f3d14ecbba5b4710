# What is built for a node, by profile.kind: the derivation that is activated,
# the warnings that the user shall see, and the health checks that come with it.
{ lib, name, node }:
let
  inherit (node) evaluation;
  inherit (evaluation) config;
  inherit (node.profile) kind package;
  failed = lib.filter (a: !a.assertion) (config.assertions or [ ]);

  # They fail by themselves too, but do not know what the node is called.
  checked =
    system:
    if failed == [ ] then
      system
    else
      throw "node ${name}: its configuration fails its own assertions:\n${
        lib.concatStringsSep "\n" (map (a: "- ${a.message}") failed)
      }";

  # What its own tools would build of the configuration.
  built = {
    nixos = config.system.build.toplevel;
    nix-darwin = config.system.build.toplevel;
    home-manager = config.home.activationPackage;
    system-manager = evaluation.system;
    custom = throw "node ${name}: profile.kind is \"custom\", and profile.package is not set: write nodes.${name}.profile.package = pkgs: …;";
  };
  inner = config.git-deploy or { };
in
if kind != "nixos" && package != null then
  {
    system = if lib.isFunction package then package evaluation.pkgs else package;
    warnings = [ ];
    health = [ ];
  }
else
  {
    system = checked built.${kind};
    warnings = config.warnings or [ ];
    health = lib.optional (inner ? health) inner.health;
  }
