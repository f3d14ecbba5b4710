# How nodes reach each other: at an address that the network knows, else that of
# their deployment, which may be a name that only deployers have; or through a
# private network.
{ lib, network, lookup }:
let
  inherit (lib) concatStringsSep head;
  ip = import ./ip.nix { inherit lib; };
  networks = network.vpn.networks;
  list = names: if names == [ ] then "none" else concatStringsSep ", " names;
in
rec {
  # The name or address of a node; `option` is where `via` stands, the name of
  # a private network or null.
  address =
    option: via: name:
    if via == null then
      head (ips name ++ [ (lookup.node name).deploy.host ])
    else if !(networks ? ${via}) then
      throw "${option} is \"${via}\", and there is no private network of this name (vpn.networks: ${list (builtins.attrNames networks)})"
    else if !(networks.${via}.nodes ? ${name}) then
      throw "${option} is \"${via}\", and the node ${name} does not belong to this private network: write vpn.networks.${via}.nodes.${name} = { };"
    else
      head networks.${via}.nodes.${name}.ips;

  # The interface of a node that leads there; null: any.
  interface = via: if via == null then null else networks.${via}.interface;

  # The IP addresses of a node as far as they are known.
  ips =
    name:
    let
      inherit ((lookup.node name).deploy) host;
    in
    network.hosts.addresses.${name} or (if ip.isAddress host then [ host ] else [ ]);
}
