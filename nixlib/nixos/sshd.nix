# sshd tells the hooks which key has logged in, so that the deployment log can
# name who deployed.
{ config, lib, ... }:
{
  services.openssh.extraConfig = lib.mkIf config.git-deploy.enable "ExposeAuthInfo yes";
}
