# git-deploy.package: where the tool on the node comes from, and what else pushes
# need of the system.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib)
    mkIf
    mkOption
    types
    ;
  cfg = config.git-deploy;
  compat = import ../lib/compat.nix { inherit lib; };
in
{
  options.git-deploy = {
    enable = mkOption {
      type = types.bool;
      default = true;
      example = false;
      description = "Whether this machine can be deployed to with git-deploy.";
    };
    package = mkOption {
      type = types.nullOr types.package;
      default = null;
      example = compat.literal "inputs.git-deploy.packages.x86_64-linux.default";
      description = "The package of the tool. `null` leaves the program that `git deploy add` put to {file}`/var/lib/git-deploy/bin/git-deploy`; a package makes that a link to it.";
    };
  };

  config = mkIf cfg.enable {
    environment.systemPackages = [ pkgs.git ];

    # sshd tells the hooks which key has logged in, so that the deployment log
    # can name who deployed.
    services.openssh.extraConfig = "ExposeAuthInfo yes";

    system.activationScripts.git-deploy = mkIf (cfg.package != null) {
      deps = [ ];
      text = ''
        mkdir -p "''${GIT_DEPLOY_ROOT:-}/var/lib/git-deploy/bin"
        ln -sfn ${cfg.package}/bin/git-deploy "''${GIT_DEPLOY_ROOT:-}/var/lib/git-deploy/bin/.git-deploy.new"
        mv -T "''${GIT_DEPLOY_ROOT:-}/var/lib/git-deploy/bin/.git-deploy.new" "''${GIT_DEPLOY_ROOT:-}/var/lib/git-deploy/bin/git-deploy"
      '';
    };
  };
}
