# ssh: logins from node to node.
{
  lib,
  config,
  lookup,
  ...
}:
let
  inherit (lib) mkOption types;
  inherit (config._internal) compat root;
  inRepository = path: if root == null then null else root + path;
in
{
  options.ssh = {
    access = mkOption {
      type = types.attrsOf (types.submodule (import ./access.nix { inherit lib compat; }));
      default = { };
      example = compat.literal ''
        {
          mirror = {
            from.nodes = [ "web" ];
            to.nodes = [ "store" ];
            to.user = "mirror";
            command = "internal-sftp";
          };
        }
      '';
      description = "Who on which nodes may log in as whom on which nodes, by names of your choice. The ones get authorized keys, the others know the host keys.";
    };

    keys = mkOption {
      type = compat.types.raw;
      default = inRepository "/ssh";
      defaultText = compat.prose "the folder {file}`ssh` of the network's repository";
      example = compat.literal "./keys";
      description = "Folder of the public keys of users on nodes, one file USER@NODE.pub for each.";
    };

    userKeys = mkOption {
      type = types.attrsOf types.str;
      default = { };
      example."root@web" = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFlOXTIlHQ2VvcLUt1ku5U3QOOb+gqFnNwNGVTTXJXdL";
      description = "Public keys of users on nodes, USER@NODE, that are in no file.";
    };

    knownHosts = mkOption {
      type = compat.types.raw;
      default = inRepository "/known_hosts";
      defaultText = compat.prose "the file {file}`known_hosts` of the network's repository";
      example = compat.literal "./known_hosts";
      description = "File with the nodes' host keys by node name, as `git deploy add` writes it.";
    };

    hostKeys = mkOption {
      type = types.attrsOf types.str;
      default = { };
      example.store = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFlOXTIlHQ2VvcLUt1ku5U3QOOb+gqFnNwNGVTTXJXdL";
      description = "Host keys of nodes that are not in the file.";
    };
  };

  config.defaults.configuration = lib.mkIf (config.ssh.access != { }) (
    import ./configuration.nix {
      inherit lib lookup;
      network = config;
    }
  );
}
