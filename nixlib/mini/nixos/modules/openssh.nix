# sshd's settings as a file. The host's own sshd is left alone.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.services.openssh;
  value = v: if v == true then "yes" else if v == false then "no" else toString v;
in
{
  options.services.openssh = {
    enable = lib.mkEnableOption "the OpenSSH daemon";
    ports = mkOption {
      type = types.listOf types.port;
      default = [ 22 ];
      example = [ 2222 ];
      description = "Ports to listen on.";
    };
    settings = mkOption {
      type = types.attrsOf (types.oneOf [ types.bool types.int types.str ]);
      default = { };
      example.PasswordAuthentication = false;
      description = "Settings of {file}`sshd_config`.";
    };
    extraConfig = mkOption {
      type = types.lines;
      default = "";
      example = "ExposeAuthInfo yes";
      description = "Text added to {file}`sshd_config`.";
    };
  };

  config.environment.etc."ssh/sshd_config.mini" = lib.mkIf cfg.enable {
    text = ''
      ${lib.concatMapStrings (p: "Port ${toString p}\n") cfg.ports}${
        lib.concatLines (lib.mapAttrsToList (n: v: "${n} ${value v}") cfg.settings)
      }${cfg.extraConfig}
    '';
  };
}
