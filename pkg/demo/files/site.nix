# A small web page on every node, and a health check that reads it: one module,
# used by all nodes.
{
  config,
  lib,
  name,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.site;
in
{
  options.site = {
    port = mkOption {
      type = types.port;
      description = "Port of the page on 127.0.0.1.";
    };
    text = mkOption {
      type = types.str;
      default = "Hello from ${name}.";
      description = "What the page says.";
    };
    healthy = mkOption {
      type = types.bool;
      default = true;
      description = "Set to false to see a deployment that is rolled back.";
    };
  };

  config.systemd.services.site = {
    description = "the page of ${name}";
    wantedBy = [ "multi-user.target" ];
    serviceConfig.ExecStart = "${pkgs.busybox}/bin/busybox httpd -f -p 127.0.0.1:${toString cfg.port} -h ${
      pkgs.writeTextDir (if cfg.healthy then "index.html" else "nothing.html") "${cfg.text}\n"
    }";
  };
}
