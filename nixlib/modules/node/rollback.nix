# nodes.<name>.deploy.rebootOnFailedRollback: what happens when putting back fails.
{ lib, ... }:
let
  inherit (lib) mkOption types;
in
{
  deploy.rebootOnFailedRollback = mkOption {
    type = types.bool;
    default = false;
    example = true;
    description = "Whether the node may reboot into its previous system when it cannot be put back live.";
  };
}
