# The nodes of a hive of colmena or a network of morph: a set of NixOS modules
# by name, with what holds for all in `meta` or `network`. The modules stay
# where they are; ./default.nix reads their `deployment` once.
{
  # What the file holds, or a function of nothing to it.
  hive,
  # The nixpkgs of one that names none.
  nixpkgs ? null,
}:
let
  inherit (builtins)
    isAttrs
    isFunction
    isList
    mapAttrs
    ;
  all = if isFunction hive || hive ? __functor then hive { } else hive;
  meta = all.meta or all.network or { };
  defaults = all.defaults or { };
  nodes = removeAttrs all [
    "meta"
    "network"
    "defaults"
    "resources"
    "require"
    "_file"
  ];

  # A nixpkgs as a path, from a path, a function or what that returns.
  pathOf = given: if isFunction given then (given { }).path else given.path or given.outPath or given;
  own = meta.nixpkgs or meta.pkgs or null;
  given = if own == null then nixpkgs else own;
  given' = name: meta.nodeNixpkgs.${name} or given;

  # Packages that were made for a system, with overlays or a configuration.
  packages =
    pkgs:
    { lib, options, ... }:
    let
      # Before, definitions of nixpkgs.config were not merged.
      merges = lib ? versionAtLeast && lib.versionAtLeast (lib.version or "0") "22.11pre";
    in
    {
      nixpkgs =
        if isAttrs pkgs && pkgs ? overlays then
          {
            overlays = lib.mkBefore pkgs.overlays;
            config = (if merges then lib.mkBefore else lib.mkOptionDefault) (pkgs.config or { });
            # Stronger than what eval-config.nix says of the machine at hand. Where
            # the platform is said, NixOS wants no system beside it.
            system = lib.mkIf (!(options.nixpkgs.hostPlatform.isDefined or false)) (
              lib.mkOverride 999 (pkgs.stdenv.hostPlatform.system or pkgs.system)
            );
          }
        else
          { };
    };

  # Read by the import alone.
  deployment =
    { lib, ... }:
    {
      options.deployment = lib.mkOption {
        type = lib.types.attrsOf (lib.types.anything or lib.types.unspecified);
        default = { };
        description = "What colmena or morph knew of this node; nodes.<name>.deploy counts.";
      };
    };
in
{
  inherit meta;
  given = own;
  nixpkgs = pathOf given;

  # The network module.
  module = {
    nodes = mapAttrs (
      name: node:
      {
        configuration.imports =
          (if isList node then node else [ node ])
          ++ [
            defaults
            deployment
            (packages (given' name))
          ];
        specialArgs = meta.specialArgs or { } // meta.nodeSpecialArgs.${name} or { };
      }
      // (if meta ? nodeNixpkgs.${name} then { nixpkgs = pathOf meta.nodeNixpkgs.${name}; } else { })
    ) nodes;
  };
}
