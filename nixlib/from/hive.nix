# The nodes of a hive of colmena or a network of morph: a set of NixOS modules
# by name, with what holds for all in `meta` or `network`. The modules stay
# where they are; ./default.nix reads their `deployment` once.
{
  # What the file holds, or a function of nothing to it.
  hive,
  # The nixpkgs of one that names none.
  nixpkgs,
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
  given = meta.nixpkgs or meta.pkgs or nixpkgs;
  given' = name: meta.nodeNixpkgs.${name} or given;

  # Packages that were made with overlays or a configuration.
  packages =
    pkgs:
    { lib, ... }:
    if isAttrs pkgs && pkgs ? overlays then
      {
        nixpkgs.overlays = lib.mkBefore pkgs.overlays;
        nixpkgs.config = lib.mkOptionDefault (pkgs.config or { });
      }
    else
      { };

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
  inherit meta nodes;
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
            { _module.args = meta.specialArgs or { } // meta.nodeSpecialArgs.${name} or { }; }
          ];
      }
      // (if meta ? nodeNixpkgs.${name} then { nixpkgs = pathOf meta.nodeNixpkgs.${name}; } else { })
    ) nodes;
  };
}
