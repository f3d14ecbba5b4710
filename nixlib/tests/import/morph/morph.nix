# A network as morph's examples show them.
let
  pkgs = import MINI { system = "aarch64-linux"; };
in
{
  network = {
    inherit pkgs;
    description = "simple hosts";
    ordering.tags = [ "db" "web" ];
    specialArgs.roles.web = {
      environment.etc.role.text = "web";
    };
    nixConfig.cores = "1";
  };

  "web01" = { roles, pkgs, ... }: {
    imports = [ roles.web ];
    environment.etc.platform.text = pkgs.stdenv.hostPlatform.system;
    deployment = {
      tags = [ "web" ];
      targetUser = "deploy";
      healthChecks.http = [
        {
          scheme = "https";
          port = 443;
          host = "shop.example.org";
          path = "/health";
          description = "Check whether the shop is open.";
          period = 1;
        }
        { port = 80; description = "Check whether nginx is running."; }
      ];
      healthChecks.cmd = [
        {
          cmd = [ "test" "-e" "/etc/motd" ];
          description = "Same words.";
          timeout = 0;
        }
        { cmd = [ "true" ]; description = "Same words."; }
        { cmd = [ "${pkgs.writeText "check" ""}" ]; description = "A package."; }
      ];
      preDeployChecks = {
        cmd = [ { cmd = [ "true" ]; description = "Idle."; } ];
        http = [ { port = 80; description = "Up."; } ];
      };
      secrets."nix-cache-signing-key".destination = "/var/secrets/key";
    };
  };

  "other" = { };

  "db01" = _: {
    deployment.tags = [ "db" ];
    deployment.targetHost = "192.0.2.7";
    environment.etc.role.text = "db";
  };
}
