# health.tcp: ports that must accept connections.
{
  lib,
  compat,
  group,
  from,
}:
let
  inherit (lib) mkOption types;
in
group
  (
    from
    // {
      host = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "192.0.2.1";
        description = "The host to connect to; `null` is the node itself: localhost, or its `deploy.host` where the deployer checks, which may be a name in the ssh configuration there.";
      };
      port = mkOption {
        type = compat.types.port;
        example = 25;
        description = "The port that must accept a connection.";
      };
    }
  )
  {
    example.smtp.port = 25;
    description = "Ports that must accept connections.";
  }
