# monitoring.exporters.<name>: one exporter and the nodes that have it.
{ lib, compat }:
{ name, ... }:
let
  inherit (lib) mkOption types;

  # As in NixOS.
  ports = {
    bind = 9119;
    blackbox = 9115;
    dnsmasq = 9153;
    nginx = 9113;
    node = 9100;
    postfix = 9154;
    postgres = 9187;
    redis = 9121;
    smartctl = 9633;
    systemd = 9558;
    wireguard = 9586;
  };
in
{
  options = {
    port = mkOption {
      type = compat.types.port;
      default =
        ports.${name}
          or (throw "monitoring.exporters.${name}.port is not set, and the port of this exporter is not known: set it");
      defaultText = compat.prose "the usual port of the exporter";
      example = 9100;
      description = "The TCP port on which the exporter answers. The firewall of its nodes opens it; that of the server stays as it is.";
    };
    nodes = mkOption {
      type = types.nullOr (types.listOf types.str);
      default = null;
      example = [ "web" ];
      description = "The nodes that have this exporter; `null`: all that are systems of NixOS.";
    };
    settings = mkOption {
      type = types.attrsOf compat.types.raw;
      default = { };
      apply =
        settings:
        if settings ? port then
          throw "monitoring.exporters.${name}.settings.port: set monitoring.exporters.${name}.port, which the server and the firewalls go by"
        else
          settings;
      example.enabledCollectors = [ "systemd" ];
      description = "More options of `services.prometheus.exporters.<name>`.";
    };
  };
}
