# dns.zones.<name>: what a zone is and who serves it.
{ lib, compat }:
{ name, ... }:
let
  inherit (lib) mkOption types;
in
{
  options = {
    servers = mkOption {
      type = compat.types.nonEmptyListOf types.str;
      example = [
        "ns1"
        "ns2"
      ];
      description = "The nodes that serve the zone, each of them with the whole of it. They are called NODE.ZONE in its NS records; their addresses are `hosts.addresses`, or `deploy.host` where that is an address.";
    };
    email = mkOption {
      type = types.addCheck types.str (text: builtins.match "[^@]+@[^@]+" text != null) // {
        description = "mail address";
      };
      default = "hostmaster@${name}";
      defaultText = compat.prose "hostmaster@ZONE";
      example = "ada@example.org";
      description = "Whom to write to about the zone.";
    };
    ttl = mkOption {
      type = compat.types.positive;
      default = 3600;
      example = 300;
      description = "Seconds for which others may keep what the zone says.";
    };
    serial = mkOption {
      type = compat.types.positive;
      default = 1;
      example = 2026112701;
      description = "The zone's serial number. Only servers outside the network that transfer the zone mind it; for them, raise it with every change.";
    };
    nodes = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = "Whether every node whose address is known has a name NODE.ZONE.";
    };
    records = mkOption {
      type = types.listOf (types.submodule (import ./record.nix { inherit lib compat; }));
      default = [ ];
      example = [
        {
          name = "example.org";
          type = "MX";
          value = "10 mail.example.org.";
        }
      ];
      description = "Records that belong to no node in particular.";
    };
  };
}
