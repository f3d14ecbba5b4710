# vpn.networks.<name>: what the nodes of one private network have in common.
{
  lib,
  compat,
  ip,
  network,
}:
{ name, config, ... }:
let
  inherit (lib) mkOption types;

  subnet =
    types.addCheck types.str (
      text:
      let
        parsed = ip.parseSubnet text;
      in
      parsed != null && ip.bits parsed.address - parsed.prefix >= 2
    )
    // {
      description = "subnet such as 10.10.0.0/16 or fd42::/64, without bits of hosts";
    };
in
{
  options = {
    subnets = mkOption {
      type = compat.types.nonEmptyListOf subnet;
      example = [
        "10.10.0.0/16"
        "fd42:10:10::/64"
      ];
      description = ''
        The subnets of the network, of IPv4 and IPv6. Each node has one address in each of them, which follows from the node's name and the subnet alone: it stays when other nodes come and go, and changes when the node is renamed or the subnet changes.
        Two names may lead to one address; then the evaluation fails and proposes a free one to write into `nodes.<name>.addresses` of the newer node. That is as good as impossible in IPv6 and rare in a /16 of IPv4.
      '';
    };

    server = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "gateway";
      description = "The node to which all others connect and which forwards between them; `null`: every node connects to every other. Deploy it before the others when this changes: idle clients of a server that has begun anew notice after two minutes.";
    };

    interface = mkOption {
      type = types.addCheck types.str (text: builtins.match "[a-zA-Z0-9_.-]{1,15}" text != null) // {
        description = "name of a network interface, at most 15 characters";
      };
      default = name;
      defaultText = compat.prose "the network's name";
      example = "wg0";
      description = "Name of the interface on all nodes.";
    };

    port = mkOption {
      type = compat.types.port;
      default = 51820;
      example = 51821;
      description = "The UDP port on which nodes with an endpoint listen. Two networks on one node need two ports.";
    };

    domain = mkOption {
      type = types.nullOr types.str;
      default = "${name}.vpn";
      defaultText = compat.prose "NAME.vpn";
      example = "vpn.example.org";
      description = "The nodes know each other as NODE.DOMAIN, by `networking.hosts`; `null`: no names.";
    };

    keys = mkOption {
      type = compat.types.raw;
      default = if network._internal.root == null then null else network._internal.root + "/vpn/${name}";
      defaultText = compat.prose "the folder vpn/NAME of the network's repository";
      example = compat.literal "./keys";
      description = "Folder of the public keys, one file NODE.pub for each node.";
    };

    openFirewall = mkOption {
      type = types.bool;
      default = true;
      example = false;
      description = "Whether the firewall of nodes with an endpoint lets the network's port in.";
    };

    trusted = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = "Whether the firewall of the nodes lets in all that comes through the private network.";
    };

    nodes = mkOption {
      type = types.attrsOf (
        types.submodule (
          import ./node.nix {
            inherit
              lib
              compat
              ip
              network
              ;
            vpn = config;
            vpnName = name;
          }
        )
      );
      default = { };
      example = compat.literal ''
        {
          gateway = { };
          laptop.keepalive = 25;
        }
      '';
      description = "The nodes of the network.";
    };
  };
}
