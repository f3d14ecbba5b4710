# nodes.<name>.deploy: where a node is and how it is deployed to. Nothing here
# may read the node's configuration: it all goes into the manifest.
{ lib, compat, ... }:
let
  inherit (lib) mkOption types;
in
{
  deploy = {
    host = mkOption {
      type = compat.types.host;
      defaultText = compat.prose "the node's name";
      example = "web.example.org";
      description = "The address to connect to: a host name, an IP address, or a name in the deployer's ssh configuration.";
    };
    user = mkOption {
      type = types.str;
      default = "root";
      example = "deploy";
      description = "The user to log in as. One other than root must be allowed to run the tool with `sudo -n`.";
    };
    port = mkOption {
      type = types.nullOr compat.types.port;
      default = null;
      example = 2222;
      description = "The port of the node's sshd; `null` leaves it to ssh and its configuration.";
    };
    tags = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [
        "server"
        "berlin"
      ];
      description = "Tags, by which commands select nodes: `git deploy push @server`.";
    };
    branch = mkOption {
      type = types.str;
      default = "main";
      example = "production";
      description = "The deploy branch: the branch of which a push is activated.";
    };
    evaluate = mkOption {
      type = types.enum [
        "node"
        "deployer"
      ];
      default = "node";
      example = "deployer";
      description = "Where the configuration is evaluated: on the node itself, or on the machine that pushes.";
    };
    build = mkOption {
      type = types.enum [
        "node"
        "deployer"
      ];
      default = "node";
      example = "deployer";
      description = "Where the system is built: on the node itself, or on the machine that pushes, which then copies it.";
    };

    # How long things may take, in seconds.
    timeouts = {
      activate = mkOption {
        type = compat.types.positive;
        default = 240;
        example = 600;
        description = "Seconds that switching to the new system may take; then the previous one is put back.";
      };
      confirm = mkOption {
        type = compat.types.positive;
        default = 30;
        example = 120;
        description = "Seconds in which the deployer must have reached the node over a new connection after the switch; then the previous system is put back.";
      };
      reboot = mkOption {
        type = compat.types.positive;
        default = 300;
        example = 900;
        description = "Seconds in which the node must be back after a reboot that was asked for.";
      };
    };

    # Which generations of the system are kept.
    generations = {
      keep = mkOption {
        type = types.nullOr compat.types.positive;
        default = null;
        example = 10;
        description = "How many of the newest generations are kept; `null`: no limit by count. With both limits, what one of them keeps is kept, and what runs, boots or was confirmed last always is.";
      };
      days = mkOption {
        type = types.nullOr compat.types.positive;
        default = null;
        example = 30;
        description = "For how many days a generation is kept; `null`: no limit by age.";
      };
    };

    # What happens when putting back fails.
    rebootOnFailedRollback = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = ''
        Whether the node may reboot into this system when a later one failed and
        this one cannot be put back live. The system that would be booted decides,
        not the one that failed; where it is not known (the first deployment, or a
        system of another tool), the new one does.
      '';
    };
  };
}
