# git-deploy.health: health checks that belong to the configuration itself.
{ lib, ... }:
{
  options.git-deploy.health = import ../modules/health {
    inherit lib;
    compat = import ../lib/compat.nix { inherit lib; };
  };
}
