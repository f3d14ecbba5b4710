# What all kinds of health checks have: patience, and a name each.
{
  lib,
  compat,
  # Whether checks may also run on the machine that deploys.
  outside,
}:
let
  inherit (lib) mkOption types;

  patience = {
    timeout = mkOption {
      type = compat.types.positive;
      default = 5;
      example = 20;
      description = "Seconds that one try may take.";
    };
    interval = mkOption {
      type = compat.types.unsigned;
      default = 1;
      example = 5;
      description = "Seconds between two tries.";
    };
    retries = mkOption {
      type = compat.types.unsigned;
      default = 10;
      example = 0;
      description = "How often a failed check is tried again before it counts as failed.";
    };
    initialDelay = mkOption {
      type = compat.types.unsigned;
      default = 0;
      example = 3;
      description = "Seconds to wait before the first try.";
    };
  };
in
{
  inherit lib compat;

  # A group of checks with these options.
  group =
    options: rest:
    mkOption (
      {
        type = types.attrsOf (types.submodule { options = patience // options; });
        default = { };
      }
      // rest
    );

  # Where a check runs, for kinds that make sense from elsewhere.
  from =
    if outside then
      {
        from = mkOption {
          type = types.enum [
            "node"
            "deployer"
          ];
          default = "node";
          example = "deployer";
          description = "Where the check runs: on the node itself, or on the machine that deploys, which sees the node as the network does. A push by plain git leaves those of the deployer out.";
        };
      }
    else
      { };
}
