# The part of backups in the configurations of clients and servers.
{
  lib,
  lookup,
  network,
  # The user of a client on servers.
  user,
}:
{ name, ... }:
let
  inherit (lib)
    elem
    filterAttrs
    genAttrs
    mapAttrsToList
    mkMerge
    ;
  reach = import ../../lib/reach.nix { inherit lib lookup network; };

  client =
    backupName: backup:
    let
      here = "backups.${backupName}";
      server = lib.head (lookup.named "${here}.server" [ backup.server ]);
      host = reach.address "${here}.via" backup.via server;
      inherit (network.nodes.${server}.deploy) port;
      login = "${if port == null then "" else "-p ${toString port} "}-o HostKeyAlias=${server} ${user name}@${host}";
    in
    {
      services.restic.backups.${backupName} = {
        repository = "sftp:${user name}@${server}:${backup.directory}/${name}/${backupName}";
        # The host key is known by the node's name, whatever its address.
        extraOptions = [ "sftp.command='ssh ${login} -s sftp'" ];
        inherit (backup) paths exclude passwordFile;
        initialize = true;
        timerConfig = {
          OnCalendar = backup.schedule;
          RandomizedDelaySec = "1h";
          Persistent = true;
        };
        pruneOpts = mapAttrsToList (period: n: "--keep-${period} ${toString n}") backup.keep;
      };
    };

  server =
    backupName: backup:
    let
      clients = lookup.named "backups.${backupName}.clients" backup.clients;
      users = map user clients;
    in
    {
      users.users = genAttrs users (group: {
        isSystemUser = true;
        inherit group;
      });
      users.groups = genAttrs users (_: { });
      systemd.tmpfiles.rules =
        [ "d ${backup.directory} 0755 root root -" ]
        ++ map (c: "d ${backup.directory}/${c} 0700 ${user c} ${user c} -") clients;
      services.openssh.enable = true;
    };
in
mkMerge (
  mapAttrsToList client (filterAttrs (_: backup: elem name backup.clients) network.backups)
  ++ mapAttrsToList server (filterAttrs (_: backup: backup.server == name) network.backups)
)
