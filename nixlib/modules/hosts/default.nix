# hosts: every node knows every other by name, without DNS.
{
  lib,
  config,
  lookup,
  ...
}:
let
  inherit (lib) mkOption types;
  inherit (config._internal) compat;

  ip = import ../../lib/ip.nix { inherit lib; };
  address = types.addCheck types.str ip.isAddress // {
    description = "IPv4 or IPv6 address";
  };
in
{
  options.hosts = {
    enable = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = "Whether all nodes know each other's names, by `networking.hosts`. Nodes whose address is not known are left out.";
    };
    domain = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "home.example.org";
      description = "The domain of the nodes' full names; `null`: they have only their short ones.";
    };
    addresses = mkOption {
      type = types.attrsOf (types.listOf address);
      default = { };
      defaultText = compat.prose "`nodes.<name>.deploy.host` where that is an address";
      example.web = [
        "192.0.2.11"
        "2001:db8::11"
      ];
      description = "Addresses of nodes, by name, for those that are deployed to by a name or have more than one address.";
    };
    aliases = mkOption {
      type = types.attrsOf (types.listOf types.str);
      default = { };
      example.web = [ "www.example.org" ];
      description = "More names of nodes.";
    };
  };

  config.defaults.configuration = lib.mkIf config.hosts.enable (
    import ./configuration.nix {
      inherit lib lookup;
      network = config;
    }
  );
}
