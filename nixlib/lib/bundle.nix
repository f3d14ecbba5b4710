# deploy.json of one node: a derivation whose output is that one file. It is
# made by /bin/sh alone, without stdenv, and so costs a process and is the same
# for every nixpkgs. The text mentions the system: it is in the closure.
{
  lib,
  config,
  name,
  node,
}:
let
  made = import ./kinds.nix { inherit lib name node; };
  inherit (made) system;
  health = made.health ++ [ node.health ];
  # Most nodes have none.
  checks =
    option: groups:
    let
      filled = kind: checks: kind != "preSwitch" && checks != { };
      some = lib.filter (group: lib.filterAttrs filled group != { }) groups;
    in
    if some == [ ] then
      [ ]
    else
      import ./checks.nix {
        inherit lib name;
        inherit (node.deploy) host;
      } option some;

  text = builtins.toJSON {
    version = 1;
    network = {
      inherit (config.network) name id;
    };
    node = name;
    system = "${system}";
    profile = import ./profile.nix {
      inherit lib name node;
      network = config.network.name;
    };
    timeouts = {
      inherit (node.deploy.timeouts) activate confirm reboot;
    };
    health = checks "health" health;
    preSwitch = checks "health.preSwitch" (map (h: h.preSwitch) health);
    inherit (node.deploy) rebootOnFailedRollback;
    generations = lib.mapAttrs (_: limit: if limit == null then 0 else limit) node.deploy.generations;
    warnings = config.warnings ++ made.warnings;
  };
in
derivation {
  name = "deploy-${builtins.replaceStrings [ " " ] [ "-" ] name}.json";
  inherit (system) system;
  builder = "/bin/sh";
  # The text comes as a file (an argument may not be longer than 128 KiB) and
  # is one line, since it is JSON.
  args = [
    "-c"
    "IFS= read -r text < \"$textPath\"; printf '%s' \"$text\" > \"$out\""
  ];
  inherit text;
  passAsFile = [ "text" ];
  preferLocalBuild = true;
  allowSubstitutes = false;
}
