# boot.kernel.sysctl, the one setting of `boot` that has an effect: on a host
# of its own (not below a prefix), at every switch and boot.
{ config, lib, ... }:
let
  show = v: if v == true then "1" else if v == false then "0" else toString v;
  settings = lib.filterAttrs (_: v: v != null) (config.boot.kernel.sysctl or { });
in
{
  system.activationScripts.sysctl = lib.optionalString (settings != { }) ''
    [ -n "''${GIT_DEPLOY_ROOT:-}" ] || {
    ${lib.concatLines (
      lib.mapAttrsToList (n: v: "echo ${lib.escapeShellArg (show v)} > /proc/sys/${builtins.replaceStrings [ "." ] [ "/" ] n}") settings
    )}}
  '';
}
