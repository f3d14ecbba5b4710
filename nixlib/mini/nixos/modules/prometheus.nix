# Prometheus and its exporters, with the options and units of NixOS as far as
# networks of nodes need them. The programs are the host's, called as in Debian.
{ config, lib, ... }:
let
  inherit (lib)
    concatStringsSep
    filterAttrs
    mapAttrs
    mapAttrs'
    mkEnableOption
    mkIf
    mkOption
    types
    ;
  cfg = config.services.prometheus;

  listen = port: {
    port = mkOption {
      type = types.port;
      default = port;
      description = "Port to listen on.";
    };
    listenAddress = mkOption {
      type = types.str;
      default = "0.0.0.0";
      description = "Address to listen on.";
    };
    extraFlags = mkOption {
      type = types.listOf types.str;
      default = [ ];
      description = "Extra commandline options.";
    };
  };
  collectors = description: mkOption {
    type = types.listOf types.str;
    default = [ ];
    inherit description;
  };

  exporter =
    name: port:
    mkOption {
      type = types.submodule {
        options = {
          enable = mkEnableOption "the prometheus ${name} exporter";
        }
        // listen port
        // lib.optionalAttrs (name == "node") {
          enabledCollectors = collectors "Collectors to enable, beside those that are anyway.";
          disabledCollectors = collectors "Collectors to disable.";
        };
      };
      default = { };
      description = "The exporter ${name}.";
    };

  command =
    program: settings: flags:
    "exec ${concatStringsSep " " ([ program "--web.listen-address=${settings.listenAddress}:${toString settings.port}" ] ++ flags ++ settings.extraFlags)}";

  unit = description: script: {
    inherit description script;
    wantedBy = [ "multi-user.target" ];
    after = [ "network.target" ];
  };
in
{
  options.services.prometheus = {
    enable = mkEnableOption "Prometheus monitoring daemon";
    globalConfig = mkOption {
      type = types.attrsOf types.anything;
      default = { };
      example.scrape_interval = "15s";
      description = "Parameters that are valid in all configuration contexts.";
    };
    scrapeConfigs = mkOption {
      type = types.listOf (types.attrsOf types.anything);
      default = [ ];
      description = "A list of scrape configurations.";
    };
    exporters = mkOption {
      type = types.submodule {
        options = mapAttrs exporter {
          nginx = 9113;
          node = 9100;
          postgres = 9187;
          tor = 9130;
        };
      };
      default = { };
      example.node.enable = true;
      description = "Prometheus exporter configuration.";
    };
  }
  // listen 9090;

  config.systemd.services =
    mapAttrs' (name: settings: {
      name = "prometheus-${name}-exporter";
      value = unit "the prometheus ${name} exporter" (
        command "prometheus-${name}-exporter" settings (
          map (c: "--collector.${c}") settings.enabledCollectors or [ ]
          ++ map (c: "--no-collector.${c}") settings.disabledCollectors or [ ]
        )
      );
    }) (filterAttrs (_: settings: settings.enable) cfg.exporters)
    // {
      prometheus = mkIf cfg.enable (
        unit "Prometheus monitoring daemon" (
          command "prometheus" cfg [
            "--config.file=${
              builtins.toFile "prometheus.yml" (
                builtins.toJSON {
                  global = cfg.globalConfig;
                  scrape_configs = cfg.scrapeConfigs;
                }
              )
            }"
            "--storage.tsdb.path=/var/lib/prometheus2/data"
          ]
        )
      );
    };
}
