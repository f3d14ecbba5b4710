# Two nodes must not have one address. To see that takes a look at all nodes,
# and so it belongs to what lists them.
{ lib, config }:
let
  inherit (lib)
    concatStringsSep
    filterAttrs
    mapAttrsToList
    ;

  # Names of nodes by where they are reached. A machine may be a system and
  # profiles beside it, each a node.
  addresses = lib.foldAttrs (name: names: [ name ] ++ names) [ ] (
    mapAttrsToList (name: node: {
      "${node.deploy.host}:${toString (if node.deploy.port == null then 22 else node.deploy.port)}${profileOf node}" = name;
    }) config.nodes
  );
  profileOf =
    { profile, ... }:
    if profile.kind == "nixos" then
      ""
    else
      " (profile ${toString profile.name} of ${if profile.user == null then "root" else profile.user})";
  shared = filterAttrs (_: names: lib.length names > 1) addresses;
in
value:
if shared == { } then
  value
else
  throw "two nodes have the same address:${
    concatStringsSep "" (
      mapAttrsToList (
        address: names:
        "\n- ${concatStringsSep " and " (map (n: "nodes.${n}.deploy.host") names)} are ${address}: give each its own address or port (or a name in your ssh configuration)"
      ) shared
    )
  }"
