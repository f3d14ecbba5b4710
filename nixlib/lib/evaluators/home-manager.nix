# The home of a user, by home-manager.
{
  path,
  pkgs,
  modules,
  specialArgs,
  ...
}:
import (path + "/modules") {
  inherit pkgs;
  configuration.imports = modules;
  extraSpecialArgs = specialArgs;
}
