# health.command: programs that must succeed.
{
  lib,
  compat,
  group,
  ...
}:
let
  inherit (lib) mkOption types;
  ready = [
    "/run/current-system/sw/bin/test"
    "-w"
    "/var/lib/app"
  ];
in
group
  {
    command = mkOption {
      type = compat.types.nonEmptyListOf types.str;
      example = ready;
      description = "Program and arguments; no shell is involved.";
    };
  }
  {
    example.ready.command = ready;
    description = "Commands that must exit with 0, run as root on the node. What they write is shown when they fail.";
  }
