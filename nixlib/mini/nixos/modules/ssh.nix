# Host keys that everybody on the host knows.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.programs.ssh;
in
{
  options.programs.ssh.knownHosts = mkOption {
    type = types.attrsOf (
      types.submodule (
        { name, ... }:
        {
          options = {
            hostNames = mkOption {
              type = types.listOf types.str;
              default = [ name ];
              example = [ "foo.example.org" ];
              description = "Names and addresses of the host.";
            };
            publicKey = mkOption {
              type = types.nullOr types.str;
              default = null;
              example = "ssh-ed25519 AAAA";
              description = "The public key of the host.";
            };
          };
        }
      )
    );
    default = { };
    example."foo.example.org".publicKey = "ssh-ed25519 AAAA";
    description = "Host keys of other hosts (written to {file}`/etc/ssh/ssh_known_hosts`).";
  };

  config.environment.etc."ssh/ssh_known_hosts" = lib.mkIf (cfg.knownHosts != { }) {
    text = lib.concatLines (
      lib.mapAttrsToList (_: h: "${lib.concatStringsSep "," h.hostNames} ${h.publicKey}") cfg.knownHosts
    );
  };
}
