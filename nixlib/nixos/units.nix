# The tool's own units. A switch must never stop or restart them: the switch
# runs inside one of them.
#
# Recovery belongs to a boot. A switch starts units that are new to it, and
# this one would then wait for the deployment whose switch waits for it. So a
# switch leaves a mark in /run, which a boot empties, and the unit minds it.
{ config, lib, ... }:
let
  inherit (lib) mkIf;
  tool = "/var/lib/git-deploy/bin/git-deploy";
  switched = "/run/git-deploy/switched";

  untouched = {
    restartIfChanged = false;
    stopIfChanged = false;
    unitConfig.X-StopOnRemoval = false;
  };
in
{
  # A switch sets NIXOS_ACTION (old ones do not, but then systemd runs already);
  # the activation of a boot comes before systemd.
  system.activationScripts.git-deploy-switched = mkIf config.git-deploy.enable {
    deps = [ ];
    text = ''
      if [ -n "''${NIXOS_ACTION:-}" ] || [ -d "''${GIT_DEPLOY_ROOT:-}/run/systemd/system" ]; then
        mkdir -p "''${GIT_DEPLOY_ROOT:-}/run/git-deploy"
        : > "''${GIT_DEPLOY_ROOT:-}${switched}"
      fi
    '';
  };

  systemd.services = mkIf config.git-deploy.enable {
    git-deploy-recover = untouched // {
      description = "settle a deployment that a reboot interrupted";
      wantedBy = [ "multi-user.target" ];
      unitConfig = untouched.unitConfig // {
        ConditionPathExists = [
          tool
          "!${switched}"
        ];
      };
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        ExecStart = "${tool} node recover";
        KillMode = "process";
        Restart = "on-abnormal";
      };
    };

    "git-deploy-activate@" = untouched // {
      description = "activate deployment %i";
      serviceConfig = {
        Type = "simple";
        ExecStart = "${tool} node activate %i";
        # What the activation starts is not its own to kill.
        KillMode = "process";
        # Killed, it is started again and settles what it was in the middle of:
        # the deployer may be gone, or cut off by the very system that is to go.
        # An exit code is an outcome.
        Restart = "on-abnormal";
        # Nix may run out of memory, and this process must live to say so.
        OOMPolicy = "continue";
      };
    };
  };
}
