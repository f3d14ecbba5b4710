# The part of logins in a node's configuration: keys that may log in here, and
# host keys of those to log in to.
{
  lib,
  lookup,
  network,
}:
{ name, ... }:
let
  inherit (builtins)
    filter
    head
    isList
    isString
    listToAttrs
    match
    pathExists
    readFile
    replaceStrings
    split
    ;
  inherit (lib)
    concatMap
    elem
    filterAttrs
    mapAttrsToList
    mkMerge
    optional
    unique
    ;
  cfg = network.ssh;
  linesOf = file: filter (l: isString l && l != "") (split "\n" (readFile file));

  access = lib.mapAttrs (
    n: a:
    a
    // {
      sources = lookup.named "ssh.access.${n}.from.nodes" a.from.nodes;
      targets =
        if a.to.nodes == [ ] then
          throw "ssh.access.${n}.to.nodes names no nodes: write those that let them in, as in ssh.access.${n}.to.nodes = [ \"${lib.head (builtins.attrNames network.nodes)}\" ];"
        else
          lookup.named "ssh.access.${n}.to.nodes" a.to.nodes;
    }
  ) cfg.access;

  # The command that makes a user's key on a node, for the error without one.
  makeKey =
    user: node:
    let
      inherit (network.nodes.${node}.deploy) host;
      make = "test -s ~/.ssh/id_ed25519 || ssh-keygen -q -t ed25519 -N \"\" -f ~/.ssh/id_ed25519; cat ~/.ssh/id_ed25519.pub";
    in
    if user == "root" then "ssh root@${host} '${make}'" else "ssh root@${host} sudo -Hu ${user} sh -c \"'${replaceStrings [ "\"" ] [ "\\\"" ] make}'\"";

  userKey =
    option: user: node:
    let
      id = "${user}@${node}";
      file = cfg.keys + "/${id}.pub";
    in
    if cfg.userKeys ? ${id} then
      cfg.userKeys.${id}
    else if cfg.keys != null && pathExists file then
      head (linesOf file)
    else
      throw "${option}: there is no public key of ${id}, the file ssh/${id}.pub. Make a key on the node and write its public half there:\n  mkdir -p ssh; ${makeKey user node} > ssh/${id}.pub\n  git add ssh";

  # known_hosts: names, with commas between them, a type and a key.
  pinned =
    if cfg.knownHosts == null || !(pathExists cfg.knownHosts) then
      [ ]
    else
      filter isList (map (match "([^#@[:space:]]+)[[:space:]]+([^[:space:]]+[[:space:]]+[^[:space:]]+).*") (linesOf cfg.knownHosts));
  pinnedOf = node: map (m: lib.last m) (filter (m: elem node (lib.splitString "," (head m))) pinned);

  hostKey =
    option: node:
    let
      keys = pinnedOf node;
      best = filter (k: match "ssh-ed25519.*" k != null) keys ++ keys;
    in
    if cfg.hostKeys ? ${node} then
      cfg.hostKeys.${node}
    else if keys != [ ] then
      head best
    else
      throw "${option}: the host key of ${node} is not known: `git deploy add` writes it to known_hosts; or set ssh.hostKeys.${node}";

  # All that a node is called where others log in to it.
  namesOf =
    node:
    let
      inherit (network.nodes.${node}.deploy) host port;
      withPort = h: if port == null then h else "[${h}]:${toString port}";
      private = concatMap (
        vpn:
        if vpn.nodes ? ${node} then
          vpn.nodes.${node}.ips ++ optional (vpn.domain != null) "${node}.${vpn.domain}"
        else
          [ ]
      ) (builtins.attrValues network.vpn.networks);
    in
    unique ([ node ] ++ map withPort ([ host ] ++ private));

  restricted =
    a: key: if a.command == null then key else "restrict,command=\"${replaceStrings [ "\"" ] [ "\\\"" ] a.command}\" ${key}";

  letsIn = filterAttrs (_: a: elem name a.targets) access;
  goesTo = filterAttrs (_: a: elem name a.sources) access;
in
mkMerge (
  mapAttrsToList (n: a: {
    users.users.${a.to.user}.openssh.authorizedKeys.keys = map (restricted a) (
      map (userKey "ssh.access.${n}.from" a.from.user) a.sources ++ a.from.keys
    );
  }) letsIn
  ++ mapAttrsToList (n: a: {
    programs.ssh.knownHosts = listToAttrs (
      map (node: {
        name = node;
        value = {
          hostNames = namesOf node;
          publicKey = hostKey "ssh.access.${n}.to" node;
        };
      }) a.targets
    );
  }) goesTo
)
