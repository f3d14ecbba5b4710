# Every option of networks and of NixOS configurations, as the reference shows
# them (../reference_test.go renders it):
#
#   nix-instantiate --eval --strict --json tests/options.nix --arg nixpkgs ./mini
#
# The library is walked, not a list: what a new module declares is in it.
{
  nixpkgs ? ../mini,
}:
let
  lib = import (nixpkgs + "/lib");
  inherit (import ../. { }) mkNetwork;
  inherit (builtins) filter head match;

  network = mkNetwork {
    modules = [
      {
        network = {
          name = "reference";
          id = "0";
          inherit nixpkgs;
        };
      }
    ];
  };

  # Only what is declared is looked at: no NixOS is needed beside it.
  nixos = lib.evalModules {
    modules = [
      ../nixos
      { _module.check = false; }
    ];
  };

  option = o: {
    inherit (o) name description type;
    default = o.default.text or null;
    defaultIsProse = o.default._type or null == "literalMD";
    example = o.example.text or null;
    readOnly = o.readOnly or false;
  };

  shown = o: o.visible && !o.internal && match "_.*" (head o.loc) == null && !(lib.elem "_module" o.loc);
  list = options: map option (filter shown (lib.optionAttrSetToDocList options));
in
{
  network = list network.options;
  nixos = list nixos.options;
}
