# ssh.access.<name>: one permission to log in.
{ lib, compat }:
let
  inherit (lib) mkOption types;
in
{
  options = {
    from = {
      nodes = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [ "web" ];
        description = "The nodes that logins come from.";
      };
      user = mkOption {
        type = types.str;
        default = "root";
        example = "backup";
        description = "The user on these nodes, whose public keys are the files {file}`ssh/USER@NODE.pub`.";
      };
      keys = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [ "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFlOXTIlHQ2VvcLUt1ku5U3QOOb+gqFnNwNGVTTXJXdL ada" ];
        description = "Public keys of others who may log in too: people, or machines outside the network.";
      };
    };
    to = {
      nodes = mkOption {
        type = types.listOf types.str;
        default = [ ]; # refused where the permission's name is known
        defaultText = compat.prose "must be set";
        example = [ "store" ];
        description = "The nodes that let them in.";
      };
      user = mkOption {
        type = types.str;
        default = "root";
        example = "mirror";
        description = "The user that they become there.";
      };
    };
    command = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "internal-sftp";
      description = "The one command that they may run; with it, forwarding and terminals are forbidden too. `null`: anything.";
    };
  };
}
