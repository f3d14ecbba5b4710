# The part of names in a node's configuration: all nodes whose address is known.
{
  lib,
  lookup,
  network,
}:
let
  inherit (builtins) attrNames;
  inherit (lib) listToAttrs;
  cfg = network.hosts;
  reach = import ../../lib/reach.nix { inherit lib lookup network; };

  namesOf =
    name:
    map (n: if cfg.domain == null then n else "${n}.${cfg.domain}") [ name ]
    ++ lib.optional (cfg.domain != null) name
    ++ cfg.aliases.${name} or [ ];

  # { address = names; } of all nodes; mistyped names are found on the way.
  table = lib.foldAttrs (names: rest: names ++ rest) [ ] (
    map (name: listToAttrs (map (a: { name = a; value = namesOf name; }) (reach.ips name))) (
      lookup.systems
    )
  );
  checked = builtins.seq (
    lookup.named "hosts.addresses" (attrNames cfg.addresses)
    ++ lookup.named "hosts.aliases" (attrNames cfg.aliases)
  );
in
{ name, ... }:
lib.optionalAttrs (lib.elem name lookup.systems) {
  networking.hosts = checked table;
}
