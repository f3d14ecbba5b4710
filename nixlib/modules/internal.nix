# What the evaluation itself hands to the modules.
{ lib, ... }:
let
  inherit (lib) mkOption types;
in
{
  options._internal = mkOption {
    type = types.attrs;
    internal = true;
    visible = false;
    description = "The root of the repository, the default nixpkgs, and the helpers for module systems of all ages.";
  };
}
