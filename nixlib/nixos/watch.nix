# git-deploy.watch: a node that nobody can push to takes over by itself what
# its peers have.
{ config, lib, ... }@args:
let
  inherit (lib) mkIf mkOption types;
  cfg = config.git-deploy.watch;
  enable = config.git-deploy.enable && cfg.enable;
  compat = import ../lib/compat.nix { inherit lib; };
in
{
  options.git-deploy.watch = {
    enable = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = "Whether this machine fetches what its peers have, merges and deploys it by itself, with the same checks and rollback as a push. For machines that are often off, or that cannot be reached.";
    };
    peers = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [
        "hub"
        "forge=https://git.example.org/home.git"
      ];
      description = "Where to look: names of nodes of the network, or NAME=ADDRESS with any address that git fetches from. root on this machine must be able to log in there.";
    };
    interval = mkOption {
      type = compat.types.positive;
      default = 300;
      example = 3600;
      description = "Seconds between two looks.";
    };
  };

  config = {
    assertions = mkIf enable [
      {
        assertion = cfg.peers != [ ];
        message = "git-deploy.watch.enable is set and git-deploy.watch.peers is empty: name the nodes to take changes from, e.g. git-deploy.watch.peers = [ \"hub\" ];";
      }
    ];
    systemd.services.git-deploy-watch = mkIf enable (import ./watch-service.nix args);
  };
}
