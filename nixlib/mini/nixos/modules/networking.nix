# Names of the host and of others. The firewall is described and not enforced.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.networking;

  ports = {
    allowedTCPPorts = mkOption {
      type = types.listOf types.port;
      default = [ ];
      example = [ 22 ];
      description = "TCP ports that are open.";
    };
    allowedUDPPorts = mkOption {
      type = types.listOf types.port;
      default = [ ];
      example = [ 51820 ];
      description = "UDP ports that are open.";
    };
  };
in
{
  options.networking = {
    hostName = mkOption {
      type = types.strMatching "|[[:alnum:]]([[:alnum:]_-]{0,61}[[:alnum:]])?";
      default = "nixos";
      example = "web";
      description = "The name of the machine.";
    };
    domain = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "example.org";
      description = "The domain of the machine.";
    };
    hosts = mkOption {
      type = types.attrsOf (types.listOf types.str);
      default = { };
      example."127.0.0.1" = [ "foo.bar.baz" ];
      description = "Names of addresses (written to {file}`/etc/hosts.mini`).";
    };
    firewall = {
      enable = mkOption {
        type = types.bool;
        default = true;
        example = false;
        description = "Whether a firewall is wanted.";
      };
      trustedInterfaces = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [ "enp0s2" ];
        description = "Interfaces from which all is let in.";
      };
      interfaces = mkOption {
        type = types.attrsOf (types.submodule { options = ports; });
        default = { };
        example.eth0.allowedTCPPorts = [ 22 ];
        description = "Ports that are open on one interface only.";
      };
    }
    // ports;
  };

  config.environment.etc."hosts.mini" = lib.mkIf (cfg.hosts != { }) {
    text = lib.concatLines (lib.mapAttrsToList (ip: names: "${ip} ${toString names}") cfg.hosts);
  };
}
