# nodes.<name>.deploy.generations: which generations of the system are kept.
{ lib, compat, ... }:
let
  inherit (lib) mkOption types;
in
{
  deploy.generations = {
    keep = mkOption {
      type = types.nullOr compat.types.positive;
      default = null;
      example = 10;
      description = "How many of the newest generations are kept; `null`: no limit by count. With both limits, what one of them keeps is kept, and what runs, boots or was confirmed last always is.";
    };
    days = mkOption {
      type = types.nullOr compat.types.positive;
      default = null;
      example = 30;
      description = "For how many days a generation is kept; `null`: no limit by age.";
    };
  };
}
