# A module of the network: it has options of its own and sets options of the
# nodes it is about.
{ lib, config, ... }:
let
  inherit (lib)
    concatMapStrings
    genAttrs
    mkMerge
    mkOption
    types
    ;
  cfg = config.balance;

  backend =
    { pkgs, name, ... }:
    {
      environment.etc."site/index.html".text = "I am ${name}\n";
      systemd.services.site = {
        description = "the site";
        wantedBy = [ "multi-user.target" ];
        # Below the prefix where there is one (demo and tests), else below /.
        serviceConfig.ExecStart = "${pkgs.busybox}/bin/httpd -f -p ${toString cfg.port} -h \${GIT_DEPLOY_ROOT}/etc/site";
      };
      networking.firewall.allowedTCPPorts = [ cfg.port ];
    };
in
{
  options.balance = {
    gateway = mkOption {
      type = types.str;
      example = "gateway";
      description = "The node that people talk to.";
    };
    backends = mkOption {
      type = types.listOf types.str;
      example = [ "web1" ];
      description = "The nodes that serve.";
    };
    port = mkOption {
      type = types.port;
      default = 80;
      description = "The port on which they serve.";
    };
  };

  config.nodes = mkMerge [
    (genAttrs cfg.backends (_: {
      configuration = backend;
      health.http.site.url = "http://localhost:${toString cfg.port}/";
    }))
    {
      ${cfg.gateway}.configuration =
        { nodes, ... }:
        {
          # Of the backends only their host names are evaluated here.
          environment.etc."upstreams".text = concatMapStrings (
            name: "server ${nodes.${name}.configuration.networking.hostName}:${toString cfg.port}\n"
          ) cfg.backends;
        };
    }
  ];
}
