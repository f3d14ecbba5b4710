# Services of NixOS that mini describes, with the names and types of their
# options, and does not run: their settings are files in /etc.
{ config, lib, ... }:
let
  inherit (lib)
    mkEnableOption
    mkIf
    mkOption
    types
    ;
  cfg = config.services;

  free = options: types.submodule { freeformType = types.attrsOf types.anything; inherit options; };
in
{
  options = {
    services.nsd = {
      enable = mkEnableOption "NSD authoritative DNS server";
      interfaces = mkOption {
        type = types.listOf types.str;
        default = [ "127.0.0.0" "::1" ];
        description = "What addresses the server should listen to.";
      };
      zones = mkOption {
        type = types.attrsOf (free {
          data = mkOption {
            type = types.lines;
            default = "";
            description = "The actual zone data (written to {file}`/etc/nsd.mini/ZONE`).";
          };
        });
        default = { };
        example."example.org.".data = "";
        description = "Define your zones here.";
      };
    };

    services.restic.backups = mkOption {
      type = types.attrsOf (free {
        repository = mkOption {
          type = types.nullOr types.str;
          default = null;
          description = "Repository to backup to.";
        };
        paths = mkOption {
          type = types.listOf types.str;
          default = [ ];
          description = "Which paths to backup.";
        };
      });
      default = { };
      description = "Periodic backups to create with Restic (written to {file}`/etc/restic.mini`).";
    };
  };

  config.environment.etc =
    lib.mapAttrs' (zone: settings: {
      name = "nsd.mini/${zone}";
      value.text = settings.data;
    }) (if cfg.nsd.enable then cfg.nsd.zones else { })
    // {
      "restic.mini" = mkIf (cfg.restic.backups != { }) { text = builtins.toJSON cfg.restic.backups; };
    };
}
