# health.units: units that must be active.
{
  lib,
  compat,
  group,
  ...
}:
let
  inherit (lib) mkOption types;
in
group
  {
    units = mkOption {
      type = types.listOf types.str;
      default = [ ]; # refused where the node's name is known
      defaultText = compat.prose "must be set";
      example = [
        "nginx.service"
        "backup.timer"
      ];
      description = "Units of systemd that must all be active; without a suffix, a service is meant.";
    };
  }
  {
    example.web.units = [ "nginx.service" ];
    description = "Units that must be active. What fails or restarts again and again since the switch fails the deployment without being named here.";
  }
