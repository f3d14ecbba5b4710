# backups.<name>: what is kept, from whom, where and for how long.
{ lib, compat }:
{ name, ... }:
let
  inherit (lib) mkOption types;

  kept =
    number: period:
    mkOption {
      type = compat.types.unsigned;
      default = number;
      example = number * 2;
      description = "Of how many ${period} the last snapshot is kept.";
    };
in
{
  options = {
    server = mkOption {
      type = types.str;
      example = "store";
      description = "The node that keeps the backups.";
    };
    clients = mkOption {
      type = compat.types.nonEmptyListOf types.str;
      example = [
        "web"
        "mail"
      ];
      description = "The nodes that are backed up.";
    };
    paths = mkOption {
      type = compat.types.nonEmptyListOf compat.types.absolutePath;
      example = [
        "/var/lib"
        "/home"
      ];
      description = "Files and folders to back up.";
    };
    exclude = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "/home/*/.cache" ];
      description = "Patterns of files to leave out.";
    };
    directory = mkOption {
      type = compat.types.absolutePath;
      default = "/srv/backups";
      example = "/mnt/large/backups";
      description = "Folder on the server, which has a folder for each client.";
    };
    passwordFile = mkOption {
      type = compat.types.absolutePath;
      default = "/var/lib/backups/${name}.password";
      defaultText = compat.prose "{file}`/var/lib/backups/NAME.password`";
      example = "/run/git-deploy/secrets/backups";
      description = "File on each client with the password that encrypts its backups. Keep a copy elsewhere: without it they cannot be read.";
    };
    schedule = mkOption {
      type = types.str;
      default = "daily";
      example = "03:15";
      description = "When clients back up, as in systemd.time(7); each at a moment of its own in the hour after.";
    };
    keep = {
      daily = kept 7 "days";
      weekly = kept 4 "weeks";
      monthly = kept 12 "months";
    };
    via = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "home";
      description = "The private network (`vpn.networks.<name>`) through which clients reach the server; `null`: the first of its `hosts.addresses`, or else its `deploy.host`.";
    };
  };
}
