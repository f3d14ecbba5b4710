# git-deploy.bootOnce: how a boot loader that the tool does not know boots a
# system once.
{ config, lib, ... }:
let
  inherit (lib) mkIf mkOption types;
  cfg = config.git-deploy;
in
{
  options.git-deploy.bootOnce = mkOption {
    type = types.nullOr types.lines;
    default = null;
    example = ''
      if [ $# = 0 ]; then
        rm -f /boot/try
      else
        echo "$2" > /boot/try
      fi
    '';
    description = ''
      Shell commands by which this machine boots a system once, for `git push -o reboot=true`: `$1` is the system and `$2` the number of its generation; without arguments they take it back. The boot after that one must boot the default again, whatever became of it.
      systemd-boot and GRUB need nothing here. With another boot loader and `null`, a trial makes the new system the default until it has proved well.
    '';
  };

  config.environment.etc."git-deploy/boot-once" = mkIf (cfg.enable && cfg.bootOnce != null) {
    mode = "0755";
    text = "#!/bin/sh\nset -eu\n${cfg.bootOnce}";
  };
}
