# What the system is called, and what is built of it.
{ lib, ... }:
let
  inherit (lib) mkOption types;
in
{
  options = {
    system = {
      name = mkOption {
        type = types.str;
        default = "nixos";
        description = "The name of the system used in the store path.";
      };
      stateVersion = mkOption {
        type = types.str;
        default = "24.11";
        example = "24.11";
        description = "The version of NixOS that this machine was first installed with.";
      };
      nixos.version = mkOption {
        type = types.str;
        default = lib.version;
        description = "The version of the system.";
      };
      initInterface = mkOption {
        type = types.int;
        default = 1;
        description = "A system with another number cannot be switched to live, as one of NixOS with another systemd.";
      };
      build = mkOption {
        type = types.lazyAttrsOf types.unspecified;
        internal = true;
        default = { };
        description = "What can be built of this configuration.";
      };
    };
    # Settings of real machines that mean nothing here; one configuration can
    # thus be used with mini and with nixpkgs.
    boot = mkOption {
      type = types.attrsOf types.anything;
      default = { };
      example.loader.grub.enable = false;
      description = "Ignored by mini.";
    };
    fileSystems = mkOption {
      type = types.attrsOf types.anything;
      default = { };
      example."/".device = "/dev/vda1";
      description = "Ignored by mini.";
    };
  };
}
