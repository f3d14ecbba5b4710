# hosts: every node knows every other by name, without DNS.
{
  lib,
  config,
  lookup,
  ...
}:
let
  inherit (builtins) attrNames;
  inherit (lib)
    listToAttrs
    mkOption
    types
    ;
  cfg = config.hosts;
  inherit (config._internal) compat;

  ip = import ../lib/ip.nix { inherit lib; };
  reach = import ../lib/reach.nix {
    inherit lib lookup;
    network = config;
  };
  address = types.addCheck types.str ip.isAddress // {
    description = "IPv4 or IPv6 address";
  };

  namesOf =
    name:
    map (n: if cfg.domain == null then n else "${n}.${cfg.domain}") [ name ]
    ++ lib.optional (cfg.domain != null) name
    ++ cfg.aliases.${name} or [ ];

  # { address = names; } of all nodes; mistyped names are found on the way.
  table = lib.foldAttrs (names: rest: names ++ rest) [ ] (
    map (name: listToAttrs (map (a: { name = a; value = namesOf name; }) (reach.ips name))) (
      lookup.systems
    )
  );
  checked = builtins.seq (
    lookup.named "hosts.addresses" (attrNames cfg.addresses)
    ++ lookup.named "hosts.aliases" (attrNames cfg.aliases)
  );
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

  config.defaults.configuration = lib.mkIf cfg.enable (
    { name, ... }:
    lib.optionalAttrs (lib.elem name lookup.systems) {
      networking.hosts = checked table;
    }
  );
}
