# What is wrong with a network although every option has the right type. Each
# message says what, where and the fix.
{ lib, config }:
let
  inherit (lib)
    concatMapStrings
    concatStringsSep
    filter
    filterAttrs
    mapAttrsToList
    ;

  failed = filter (a: !a.assertion) config.assertions;

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
{
  # What the network's own modules assert; judged before anything is handed out.
  asserted =
    value:
    if failed == [ ] then
      value
    else
      throw "the network ${config.network.name} fails its own assertions:${concatMapStrings (a: "\n- ${a.message}") failed}";

  # Looks at all nodes, and so belongs to what lists them.
  addressed =
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
      }";
}
