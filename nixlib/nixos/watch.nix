# git-deploy.watch: a node that nobody can push to takes over by itself what
# its peers have.
{ config, lib, ... }@args:
let
  inherit (lib)
    concatMapStringsSep
    escapeShellArg
    mkIf
    mkOption
    optionalString
    types
    ;
  cfg = config.git-deploy.watch;
  compat = import ../lib/compat.nix { inherit lib; };
  tool = "/var/lib/git-deploy/bin/git-deploy";

  # Both are there in a network, not in plain nixosConfigurations.
  nodes = args.nodes or { };
  network = args.network or null;

  # Nodes of the network are looked up here, so that the machine need not.
  address =
    peer:
    if nodes ? ${peer} then
      let
        d = nodes.${peer}.deploy;
        host = if lib.hasInfix ":" d.host then "[${d.host}]" else d.host;
        port = optionalString (d.port != null) ":${toString d.port}";
      in
      "${peer}=node://${d.user}@${host}${port}/${network.name}"
    else
      peer;
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

  config = mkIf (config.git-deploy.enable && cfg.enable) {
    assertions = [
      {
        assertion = cfg.peers != [ ];
        message = "git-deploy.watch.enable is set and git-deploy.watch.peers is empty: name the nodes to take changes from, e.g. git-deploy.watch.peers = [ \"hub\" ];";
      }
    ];
    # A service and not a timer: the pause is counted from the end of a look.
    systemd.services.git-deploy-watch = {
      description = "take over what the peers of this node have";
      wantedBy = [ "multi-user.target" ];
      after = [ "network.target" ];
      environment.HOME = "/root";
      unitConfig.ConditionPathExists = tool;
      serviceConfig = {
        ExecStart = "${tool} watch --interval ${toString cfg.interval}s${
          optionalString (network != null) " --network ${escapeShellArg network.name}"
        } -- ${concatMapStringsSep " " (p: escapeShellArg (address p)) cfg.peers}";
        Restart = "on-failure";
        RestartSec = 30;
        # A switch that it has asked for may restart it: the deployment goes on.
        KillMode = "process";
      };
    };
  };
}
