# dns: zones that nodes serve, with the records that any node declares.
{
  lib,
  config,
  lookup,
  ...
}:
let
  inherit (lib) mkOption types;
  inherit (config._internal) compat;
in
{
  options.dns.zones = mkOption {
    type = types.attrsOf (types.submodule (import ./zone.nix { inherit lib compat; }));
    default = { };
    example = compat.literal ''
      {
        "example.org".servers = [ "ns1" "ns2" ];
      }
    '';
    description = "Zones by name, each served by nodes with NSD. All servers get the zone by deployment; there are no transfers among them.";
  };

  config.defaults.configuration = lib.mkIf (config.dns.zones != { }) (
    import ./configuration.nix {
      inherit lib lookup;
      network = config;
    }
  );
}
