# nodes.<name>.dns: records that a node declares in whichever zone they are.
{ lib, compat, ... }:
let
  inherit (lib) mkOption types;
in
{
  dns.records = mkOption {
    type = types.listOf (types.submodule (import ../dns/record.nix { inherit lib compat; }));
    default = [ ];
    example = [
      {
        name = "www.example.org";
        value = "192.0.2.11";
      }
    ];
    description = "DNS records that this node declares. They go into the longest fitting zone of `dns.zones`, on the nodes that serve it.";
  };
}
