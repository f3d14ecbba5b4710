# health: what must hold after a switch, or else the previous system is put
# back; and in preSwitch, what must hold before one. One set of options for
# nodes and, below `git-deploy`, for NixOS configurations.
{ lib, compat }:
let
  inherit (lib) mkOption types;

  # Each kind of check is a function of what all kinds have.
  kinds =
    outside:
    builtins.mapAttrs (_: file: import file (import ./group.nix { inherit lib compat outside; })) {
      http = ./http.nix;
      tcp = ./tcp.nix;
      command = ./command.nix;
      file = ./file.nix;
      units = ./units.nix;
    };

  # A submodule, so that it costs nothing where nobody reads it.
  health =
    options: rest:
    mkOption (
      {
        type = types.submodule { inherit options; };
        default = { };
      }
      // rest
    );
in
health
  (
    kinds true
    // {
      preSwitch = health (kinds false) {
        example.command.backup.command = [ "/run/current-system/sw/bin/backup-is-idle" ];
        description = "Checks that must pass before a deployment touches anything, run on the node: a machine that is sick already is not deployed to. `git deploy push --force-unhealthy` deploys all the same.";
      };
    }
  )
  {
    example.http.site.url = "http://localhost/";
    description = "Checks that must pass after a switch; when one fails, the previous system is put back.";
  }
