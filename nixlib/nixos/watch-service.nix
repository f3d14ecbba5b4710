# The service of git-deploy.watch. It is no timer: the pause is counted from the
# end of a look.
{ config, lib, ... }@args:
let
  inherit (lib) concatMapStringsSep escapeShellArg optionalString;
  cfg = config.git-deploy.watch;
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
}
