# Two nodes must not have one address; `nodes` are the names of those to look at.
{
  lib,
  config,
  nodes,
}:
let
  # Names of nodes by where they are reached. A machine may be a system and
  # profiles beside it, each a node.
  addresses = lib.foldAttrs (name: names: [ name ] ++ names) [ ] (
    map (
      name:
      let
        inherit (config.nodes.${name}) deploy profile;
      in
      {
        "${deploy.host}:${toString (if deploy.port == null then 22 else deploy.port)}${profileOf profile}" = name;
      }
    ) nodes
  );
  profileOf =
    profile:
    if profile.kind == "nixos" then
      ""
    else
      " (profile ${toString profile.name} of ${if profile.user == null then "root" else profile.user})";
  shared = lib.filterAttrs (_: names: lib.length names > 1) addresses;
in
value:
if shared == { } then
  value
else
  throw "two nodes have the same address:${
    lib.concatStrings (
      lib.mapAttrsToList (
        address: names:
        "\n- ${lib.concatStringsSep " and " (map (n: "nodes.${n}.deploy.host") names)} are ${address}: give each its own address or port (or a name in your ssh configuration)"
      ) shared
    )
  }"
