# vpn.networks.<name>.nodes.<node>: what is particular to one node.
{
  lib,
  compat,
  ip,
  network,
  # The private network, evaluated, and its name.
  vpn,
  vpnName,
}:
{ name, config, ... }:
let
  inherit (builtins) match pathExists readFile;
  inherit (lib) filter head mkOption types;

  here = "vpn.networks.${vpnName}.nodes.${name}";

  address = types.addCheck types.str ip.isAddress // {
    description = "IPv4 or IPv6 address";
  };
  subnet = types.addCheck types.str ip.isSubnet // {
    description = "subnet such as 192.168.1.0/24, without bits of hosts";
  };
  key = types.addCheck types.str (text: match "[A-Za-z0-9+/]{43}=" text != null) // {
    description = "WireGuard public key";
  };

  file = if vpn.keys == null then null else vpn.keys + "/${name}.pub";
  firstLine = text: head (match "[ \t\n]*([^ \t\n]*)[ \t\n]*" text);

  # The address in a subnet: the one that was chosen, or that of the name.
  addressIn =
    text:
    let
      subnet = ip.parseSubnet text;
      chosen = filter (a: ip.contains subnet (ip.parse a)) config.addresses;
    in
    if chosen == [ ] then
      ip.show (ip.nth subnet (ip.numberOf subnet name))
    else
      ip.canonical (head chosen);

  outside = filter (
    a: !(lib.any (text: ip.contains (ip.parseSubnet text) (ip.parse a)) vpn.subnets)
  ) config.addresses;
in
{
  options = {
    addresses = mkOption {
      type = types.listOf address;
      default = [ ];
      example = [ "10.10.0.1" ];
      description = "Addresses of your choice, at most one in each subnet. In other subnets the node has the address that follows from its name.";
    };

    ips = mkOption (
      compat.readOnly
      // {
        type = types.listOf types.str;
        default =
          if outside == [ ] then
            map addressIn vpn.subnets
          else
            throw "${here}.addresses has ${head outside}, which is in none of the subnets ${lib.concatStringsSep ", " vpn.subnets}";
        defaultText = compat.prose "one address in each of the network's subnets";
        example = [
          "10.10.152.211"
          "fd42:10:10::4b:5e57:f6eb:2f43"
        ];
        description = "The addresses that the node has, one in each subnet, in their order. For other modules to read.";
      }
    );

    endpoint = mkOption {
      type = types.nullOr types.str;
      default =
        if vpn.server == null || vpn.server == name then network.nodes.${name}.deploy.host else null;
      defaultText = compat.prose "nodes.<node>.deploy.host; null for clients of a server";
      example = "vpn.example.org";
      description = "The address at which other nodes reach this one from outside, without port; `null`: they do not, and it connects to them.";
    };

    port = mkOption {
      type = compat.types.port;
      default = vpn.port;
      defaultText = compat.prose "the network's port";
      example = 443;
      description = "The UDP port on which this node listens, if it has an endpoint.";
    };

    keepalive = mkOption {
      type = types.nullOr compat.types.positive;
      default = if config.endpoint == null then 25 else null;
      defaultText = compat.prose "25 for nodes without endpoint, else null";
      example = 60;
      description = "Seconds after which this node sends something to peers that it connects to, so that firewalls on the way keep the way back open; `null`: never.";
    };

    routes = mkOption {
      type = types.listOf subnet;
      default = [ ];
      example = [ "192.168.1.0/24" ];
      description = "Subnets behind this node, which the others reach through it. It forwards then, as a server does; for IPv6 that means that it takes no routes from router advertisements.";
    };

    publicKey = mkOption {
      type = key;
      default =
        if file == null then
          throw "${here}.publicKey is not set, and the network has no repository to read it from"
        else if pathExists file then
          firstLine (readFile file)
        else
          throw "${here}.publicKey: there is no public key of the node ${name}, the file vpn/${vpnName}/${name}.pub. Make a key on the node and write its public half there:\n  ssh root@${network.nodes.${name}.deploy.host} 'umask 077; mkdir -p ${dirOf config.privateKeyFile}; test -s ${config.privateKeyFile} || wg genkey > ${config.privateKeyFile}; wg pubkey < ${config.privateKeyFile}' > vpn/${vpnName}/${name}.pub\n  git add vpn";
      defaultText = compat.prose "the content of the file NODE.pub in the network's folder of keys";
      example = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
      description = "The node's public key.";
    };

    privateKeyFile = mkOption {
      type = compat.types.absolutePath;
      default = "/var/lib/wireguard/${vpnName}.key";
      defaultText = compat.prose "/var/lib/wireguard/NETWORK.key";
      example = "/run/git-deploy/secrets/vpn";
      description = "File with the private key, on the node; it is never in the repository or the store.";
    };

    generateKey = mkOption {
      type = types.bool;
      default = true;
      example = false;
      description = "Whether the node makes the private key when its file is missing. Set it to false where the file comes from elsewhere, as secrets do.";
    };
  };
}
