# nodes.<name>.deploy: where a node is and how it is deployed to. Nothing here
# may read the node's configuration: it all goes into the manifest.
{ lib, compat, ... }:
let
  inherit (lib) mkOption types;
in
{
  deploy = {
    host = mkOption {
      type = types.str;
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
  };
}
