# A network of nixus is a module much like those here: this adds the settings
# of nodes that it knows, and says what they mean. Its modules of several nodes
# (vpn, ssh, dns, secrets) have counterparts of their own here.
{ lib, config, ... }:
let
  inherit (config._internal) compat;
  inherit (lib) mkDefault mkOption types;
  sink =
    default:
    mkOption {
      type = types.unspecified;
      inherit default;
      description = "Of nixus; without meaning here.";
    };

  node =
    { config, ... }:
    let
      parts = builtins.match "(([^@]+)@)?(.+)" config.host;
      user = builtins.elemAt parts 1;
    in
    {
      options = {
        host = mkOption {
          type = types.str;
          description = "Address of the node, with the user: deploy.host and deploy.user.";
        };
        successTimeout = mkOption {
          type = types.int;
          default = 20;
          description = "deploy.timeouts.confirm.";
        };
        switchTimeout = mkOption {
          type = types.int;
          default = 60;
          description = "deploy.timeouts.activate.";
        };
        enable = sink true;
        hasFastConnection = sink false;
        ignoreFailingSystemdUnits = sink false;
        deployFrom = sink { };
        privilegeEscalationCommand = sink [ "sudo" ];
      };
      config.deploy = {
        host = mkDefault (lib.last parts);
        user = mkDefault (if user == null then "root" else user);
        # There the machine that deploys builds.
        build = mkDefault "deployer";
        timeouts = {
          confirm = mkDefault config.successTimeout;
          activate = mkDefault config.switchTimeout;
        };
      };
    };
in
{
  options.nodes = mkOption { type = types.attrsOf (compat.types.node { } [ node ]); };
}
