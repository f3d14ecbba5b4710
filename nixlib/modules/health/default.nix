# health: what must hold after a switch, or else the previous system is put
# back; and in preSwitch, what must hold before one. One set of options for
# nodes and, below `git-deploy`, for NixOS configurations.
{ lib, compat }:
let
  inherit (lib) mkOption types;

  files = {
    http = ./http.nix;
    tcp = ./tcp.nix;
    command = ./command.nix;
    file = ./file.nix;
    units = ./units.nix;
  };
  # Each kind of check is a function of what all kinds have.
  kinds =
    outside:
    builtins.mapAttrs (_: file: import file (import ./group.nix { inherit lib compat outside; })) files;

  # Most machines have none, and then there is nothing to evaluate.
  none = builtins.mapAttrs (_: _: { }) files;
  sparse =
    empty: options:
    import ../../lib/wrap-submodule.nix (
      submodule: loc: defs:
      if builtins.all (def: def.value == { }) defs then empty else submodule.merge loc defs
    ) (types.submodule { inherit options; });
  health =
    empty: options: rest:
    mkOption (
      {
        type = sparse empty options;
        default = { };
      }
      // rest
    );
in
health (none // { preSwitch = none; })
  (
    kinds true
    // {
      preSwitch = health none (kinds false) {
        example.command.backup.command = [ "/run/current-system/sw/bin/backup-is-idle" ];
        description = "Checks that must pass before a deployment touches anything, run on the node: a machine that is sick already is not deployed to. `git deploy push --force-unhealthy` deploys all the same.";
      };
    }
  )
  {
    example.http.site.url = "http://localhost/";
    description = "Checks that must pass after a switch; when one fails, the previous system is put back.";
  }
