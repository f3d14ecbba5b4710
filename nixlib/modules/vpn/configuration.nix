# The part of private networks in a node's configuration: only the networks
# that the node belongs to are read, and no other node's configuration.
{
  lib,
  ip,
  lookup,
  networks,
}:
{ name, ... }:
let
  inherit (lib)
    concatMap
    concatStringsSep
    filterAttrs
    findFirst
    length
    listToAttrs
    mapAttrs
    mapAttrsToList
    mkMerge
    mkOverride
    optional
    ;

  # The lists of an attribute set as one, by value: { address = [ node ]; }.
  byAddress = nodes: lib.foldAttrs (n: rest: [ n ] ++ rest) [ ] (
    mapAttrsToList (n: node: listToAttrs (map (a: { name = a; value = n; }) node.ips)) nodes
  );

  # The nodes of a network, once it is certain that they make sense together.
  checked =
    vpnName: vpn:
    let
      here = "vpn.networks.${vpnName}";
      nodes = lib.genAttrs (lookup.named "${here}.nodes" (builtins.attrNames vpn.nodes)) (n: vpn.nodes.${n});
      taken = byAddress nodes;
      twice = filterAttrs (_: owners: length owners > 1) taken;
      address = lib.head (builtins.attrNames twice);
      owners = twice.${address};
      owner = lib.last owners;
      subnet = findFirst (s: ip.contains s (ip.parse address)) null (map ip.parseSubnet vpn.subnets);
      # The next one after the address that is not free.
      free =
        n:
        let
          candidate = ip.show (ip.nth subnet n);
        in
        if taken ? ${candidate} then free (if n >= ip.size subnet then 1 else n + 1) else candidate;
    in
    if vpn.server != null && !(nodes ? ${vpn.server}) then
      throw "${here}.server is \"${vpn.server}\", which is not in ${here}.nodes (there are: ${concatStringsSep ", " (builtins.attrNames nodes)})"
    else if vpn.server != null && nodes.${vpn.server}.endpoint == null then
      throw "${here}: its server ${vpn.server} has no endpoint, so nobody can connect to it: set ${here}.nodes.${vpn.server}.endpoint"
    else if twice == { } then
      nodes
    else
      throw "${here}: the nodes ${concatStringsSep " and " owners} have the same address ${address}. Give the newer one another, so that the older one keeps its own: ${here}.nodes.${owner}.addresses = [ \"${
        free (ip.numberOf subnet owner)
      }\" ];";

  prefix = address: text: "${text}/${toString address}";
  # An address, or all of a subnet, as WireGuard writes what a peer may have.
  alone = text: prefix (ip.bits (ip.parse text)) text;

  part =
    vpnName: vpn:
    let
      nodes = checked vpnName vpn;
      own = nodes.${name};
      others = removeAttrs nodes [ name ];

      isServer = vpn.server == name;
      isClient = vpn.server != null && !isServer;
      forwards = isServer || own.routes != [ ];
      listens = own.endpoint != null;

      peers = if isClient then { ${vpn.server} = nodes.${vpn.server}; } else others;
      allowedIPs =
        node:
        if isClient then
          vpn.subnets ++ concatMap (n: n.routes) (builtins.attrValues others)
        else
          map alone node.ips ++ node.routes;

      peer =
        node:
        {
          inherit (node) publicKey;
          allowedIPs = allowedIPs node;
        }
        // lib.optionalAttrs (node.endpoint != null) {
          endpoint = ip.withPort node.endpoint node.port;
          persistentKeepalive = own.keepalive;
        };

      families = lib.unique (map (s: (ip.parseSubnet s).address.width) (vpn.subnets ++ own.routes));
      # Others say false by mkDefault.
      forward = family: {
        name = "net.${family}.conf.all.forwarding";
        value = mkOverride 900 true;
      };
    in
    {
      networking = {
        wireguard.interfaces.${vpn.interface} = {
          ips = lib.zipListsWith (a: s: prefix (ip.parseSubnet s).prefix a) own.ips vpn.subnets;
          inherit (own) privateKeyFile;
          generatePrivateKeyFile = own.generateKey;
          listenPort = if listens then own.port else null;
          peers = mapAttrsToList (_: peer) peers;
        };
        firewall = {
          allowedUDPPorts = optional (listens && vpn.openFirewall) own.port;
          trustedInterfaces = optional vpn.trusted vpn.interface;
        };
        hosts =
          if vpn.domain == null then { } else mapAttrs (_: map (n: "${n}.${vpn.domain}")) (byAddress nodes);
      };
    }
    // lib.optionalAttrs forwards {
      boot.kernel.sysctl = listToAttrs (
        map forward (optional (lib.elem 8 families) "ipv4" ++ optional (lib.elem 16 families) "ipv6")
      );
    };

  mine = filterAttrs (_: vpn: vpn.nodes ? ${name}) networks;

  # What two networks of this node have both, although they cannot.
  clashes =
    what: setting: valueOf:
    let
      owners = lib.foldAttrs (n: rest: [ n ] ++ rest) [ ] (
        mapAttrsToList (n: vpn: listToAttrs (map (v: { name = toString v; value = n; }) (valueOf vpn))) mine
      );
    in
    mapAttrsToList (value: names: {
      assertion = length names == 1;
      message = "vpn.networks: ${concatStringsSep " and " names} both have the ${what} ${value} on the node ${name}. Set another one: vpn.networks.${lib.last names}.${setting}";
    }) owners;

  # Nodes of a network without server that cannot reach each other.
  strangers =
    vpnName: vpn:
    map (other: "vpn.networks.${vpnName}: neither ${name} nor ${other} has an endpoint, so they cannot reach each other: give one of them an endpoint, or the network a server.") (
      builtins.attrNames (
        filterAttrs (n: node: vpn.server == null && n != name && vpn.nodes.${name}.endpoint == null && node.endpoint == null) vpn.nodes
      )
    );
in
mkMerge (
  mapAttrsToList part mine
  ++ optional (mine != { }) {
    assertions =
      clashes "interface" "interface" (vpn: [ vpn.interface ])
      ++ clashes "UDP port" "port" (vpn: optional (vpn.nodes.${name}.endpoint != null) vpn.nodes.${name}.port);
    warnings = lib.concatLists (mapAttrsToList strangers mine);
  }
)
