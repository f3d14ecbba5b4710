# backups: clients that write to a server with restic.
{
  lib,
  config,
  lookup,
  ...
}:
let
  inherit (lib)
    concatMap
    listToAttrs
    mapAttrsToList
    mkOption
    types
    ;
  inherit (config._internal) compat;
  user = client: "backup-${lib.head (lib.splitString "." client)}";
in
{
  options.backups = mkOption {
    type = types.attrsOf (types.submodule (import ./backup.nix { inherit lib compat; }));
    default = { };
    example = compat.literal ''
      {
        nightly = {
          server = "store";
          clients = [ "web" "mail" ];
          paths = [ "/var/lib" ];
        };
      }
    '';
    description = ''
      Backups by name, made by restic over SFTP. Each client has a user of its own on the server and can reach its own folder there, with its key {file}`ssh/root@CLIENT.pub`; the server cannot read what it keeps.
    '';
  };

  config = {
    # Each client's root logs in as that client's user.
    ssh.access = listToAttrs (
      concatMap (x: x) (
        mapAttrsToList (
          name: backup:
          map (client: {
            name = "backups.${name}.${client}";
            value = {
              from.nodes = lookup.named "backups.${name}.clients" [ client ];
              to = {
                nodes = lookup.named "backups.${name}.server" [ backup.server ];
                user = user client;
              };
              command = "internal-sftp";
            };
          }) backup.clients
        ) config.backups
      )
    );

    defaults.configuration = lib.mkIf (config.backups != { }) (
      import ./configuration.nix {
        inherit lib lookup user;
        network = config;
      }
    );
  };
}
