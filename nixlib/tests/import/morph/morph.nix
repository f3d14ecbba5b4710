# A network as morph's examples show them.
let
  pkgs = import MINI { };
in
{
  network = {
    inherit pkgs;
    description = "simple hosts";
    ordering.tags = [ "db" ];
  };

  "web01" = _: {
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
      healthChecks.cmd = [ { cmd = [ "true" ]; description = "Testing that true works."; } ];
      secrets."nix-cache-signing-key".destination = "/var/secrets/key";
    };
    environment.etc.role.text = "web";
  };

  "db01" = _: {
    deployment.tags = [ "db" ];
    deployment.targetHost = "192.0.2.7";
    environment.etc.role.text = "db";
  };
}
