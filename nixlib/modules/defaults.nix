# defaults: settings of all nodes.
{ lib, config, ... }:
let
  inherit (config._internal) compat;
in
{
  options.defaults = lib.mkOption {
    type = compat.types.module;
    default = { };
    example = compat.literal ''
      {
        deploy.user = lib.mkDefault "deploy";
        configuration = { pkgs, ... }: { environment.systemPackages = [ pkgs.git ]; };
      }
    '';
    description = "A module that is part of every node. What a node sets too must agree with it; write `lib.mkDefault` for what a node may choose otherwise.";
  };
}
