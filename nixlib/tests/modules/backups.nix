# backups: clients, a server, and the keys between them.
{ lib, configOf, example, ... }:
let
  base = {
    nodes = { web = { }; mail = { }; store.deploy = { host = "192.0.2.3"; port = 2222; }; };
    ssh = {
      userKeys = { "root@web" = "ssh-ed25519 WEB"; "root@mail" = "ssh-ed25519 MAIL"; };
      hostKeys.store = "ssh-ed25519 STORE";
    };
    backups.nightly = { server = "store"; clients = [ "web" "mail" ]; paths = [ "/var/lib" ]; };
  };
  of = name: modules: configOf name ([ base ] ++ modules);
  restic = name: modules: (of name modules).services.restic.backups;
  inExample = example "backups";
in
{
  client = {
    expr = let b = (restic "web" [ ]).nightly; in [ b.repository b.paths b.passwordFile b.timerConfig.OnCalendar b.initialize b.pruneOpts b.extraOptions ];
    expected = [
      "sftp:backup-web@store:/srv/backups/web/nightly"
      [ "/var/lib" ]
      "/var/lib/backups/nightly.password"
      "daily"
      true
      [ "--keep-daily 7" "--keep-monthly 12" "--keep-weekly 4" ]
      [ "sftp.command='ssh -p 2222 -o HostKeyAlias=store backup-web@192.0.2.3 -s sftp'" ]
    ];
  };
  clientKnowsTheServer = {
    expr = (of "web" [ ]).programs.ssh.knownHosts.store.publicKey;
    expected = "ssh-ed25519 STORE";
  };
  server = {
    expr =
      let
        c = of "store" [ ];
        u = c.users.users.backup-web;
      in
      [ u.openssh.authorizedKeys.keys u.isSystemUser u.group (c.users.groups ? backup-mail) c.services.openssh.enable (restic "store" [ ]) ];
    expected = [ [ "restrict,command=\"internal-sftp\" ssh-ed25519 WEB" ] true "backup-web" true true { } ];
  };
  folders = {
    expr = lib.filter (lib.hasPrefix "d /mnt") (of "store" [ { backups.nightly.directory = "/mnt/b"; } ]).systemd.tmpfiles.rules;
    expected = [ "d /mnt/b 0755 root root -" "d /mnt/b/web 0700 backup-web backup-web -" "d /mnt/b/mail 0700 backup-mail backup-mail -" ];
  };
  twoBackupsOfOneClient = {
    expr =
      let
        modules = [ { backups.hourly = { server = "store"; clients = [ "web" ]; paths = [ "/home" ]; schedule = "hourly"; }; } ];
      in
      [ (lib.attrNames (restic "web" modules)) (lib.length (of "store" modules).users.users.backup-web.openssh.authorizedKeys.keys) ];
    expected = [ [ "hourly" "nightly" ] 2 ];
  };
  throughAPrivateNetwork = {
    expr = (lib.head (restic "web" [ { backups.nightly.via = "home"; vpn.networks.home = { subnets = [ "10.1.0.0/16" ]; nodes = { web.publicKey = "x"; store = { addresses = [ "10.1.0.3" ]; publicKey = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="; }; }; }; } ]).nightly.extraOptions);
    expected = "sftp.command='ssh -p 2222 -o HostKeyAlias=store backup-web@10.1.0.3 -s sftp'";
  };
  bystanders = {
    expr = (configOf "other" [ base { nodes.other = { }; } ]).services.restic.backups;
    expected = { };
  };
  unknownServer = {
    expr = restic "web" [ { backups.nightly.server = lib.mkForce "stroe"; } ];
    expected = "fails";
  };
  unknownClient = {
    expr = (of "store" [ { backups.nightly.clients = [ "wbe" ]; } ]).systemd.tmpfiles.rules;
    expected = "fails";
  };
  exampleClients = {
    expr = map (n: inExample.nodes.${n}.config.services.restic.backups.nightly.repository) [ "web" "mail" ];
    expected = [ "sftp:backup-web@store:/srv/backups/web/nightly" "sftp:backup-mail@store:/srv/backups/mail/nightly" ];
  };
  exampleServer = {
    expr = lib.filter (lib.hasPrefix "backup-") (lib.attrNames inExample.nodes.store.config.users.users);
    expected = [ "backup-mail" "backup-web" ];
  };
}
