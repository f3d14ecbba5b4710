# Evaluates modules together with those of mini's system, with the arguments
# and results of nixpkgs' file of this name.
{
  system ? builtins.currentSystem or null,
  pkgs ? null,
  baseModules ? import ../modules/module-list.nix,
  extraArgs ? { },
  specialArgs ? { },
  modules,
  modulesLocation ? null,
  check ? true,
  prefix ? [ ],
  lib ? import ../../lib,
  extraModules ? [ ],
}:
let
  inherit (lib) mkDefault mkIf optional;

  nixpkgsModule = {
    _file = ./eval-config.nix;
    key = toString ./eval-config.nix;
    config = {
      nixpkgs.system = mkIf (system != null) (mkDefault system);
      _module.args =
        {
          inherit
            baseModules
            extraModules
            modules
            ;
        }
        // lib.optionalAttrs (pkgs != null) { pkgs = lib.mkForce pkgs; };
      _module.check = mkDefault check;
    };
  };

  located =
    if modulesLocation == null then
      modules
    else
      map (lib.setDefaultModuleLocation modulesLocation) modules;

  noUserModules = lib.evalModules {
    inherit prefix;
    class = "nixos";
    modules = baseModules ++ extraModules ++ [ nixpkgsModule ] ++ optional (extraArgs != { }) { _module.args = extraArgs; };
    specialArgs = {
      modulesPath = toString ../modules;
    } // specialArgs;
  };
  result = noUserModules.extendModules { modules = located; };
in
result
// {
  inherit (result._module.args) pkgs;
  inherit lib extraArgs;
}
