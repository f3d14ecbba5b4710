# nodes.<name>.deploy.timeouts: how long things may take, in seconds.
{ lib, compat, ... }:
let
  inherit (lib) mkOption;
in
{
  deploy.timeouts = {
    activate = mkOption {
      type = compat.types.positive;
      default = 240;
      example = 600;
      description = "Seconds that switching to the new system may take; then the previous one is put back.";
    };
    confirm = mkOption {
      type = compat.types.positive;
      default = 30;
      example = 120;
      description = "Seconds in which the deployer must have reached the node over a new connection after the switch; then the previous system is put back.";
    };
    reboot = mkOption {
      type = compat.types.positive;
      default = 300;
      example = 900;
      description = "Seconds in which the node must be back after a reboot that was asked for.";
    };
  };
}
