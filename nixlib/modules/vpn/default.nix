# vpn: private networks among nodes, made with WireGuard.
{
  lib,
  config,
  lookup,
  ...
}:
let
  inherit (lib) mkOption types;
  inherit (config._internal) compat;

  ip = import ../../lib/ip.nix { inherit lib; };
in
{
  options.vpn.networks = mkOption {
    type = types.attrsOf (
      types.submodule (
        import ./network.nix {
          inherit lib compat ip;
          network = config;
        }
      )
    );
    default = { };
    example = compat.literal ''
      {
        home = {
          subnets = [ "10.10.0.0/16" "fd42:10:10::/64" ];
          server = "gateway";
          nodes.gateway = { };
          nodes.laptop = { };
        };
      }
    '';
    description = ''
      Private networks by name, each with a server and its clients or, without a server, from every node to every other.
      The public key of each node is the file {file}`vpn/NETWORK/NODE.pub` of the network's repository.
    '';
  };

  config.defaults.configuration = lib.mkIf (config.vpn.networks != { }) (
    import ./configuration.nix {
      inherit lib ip lookup;
      inherit (config.vpn) networks;
    }
  );
}
