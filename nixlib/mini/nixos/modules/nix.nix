# Settings of Nix, written to a file that only describes them.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
in
{
  options.nix = {
    enable = mkOption {
      type = types.bool;
      default = true;
      example = false;
      description = "Whether Nix is managed.";
    };
    settings = mkOption {
      type = types.attrsOf types.anything;
      default = { };
      example.cores = 2;
      description = "Settings of {file}`nix.conf`.";
    };
  };
}
