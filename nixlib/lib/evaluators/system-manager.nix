# What system-manager manages on another Linux.
{
  lib,
  name,
  node,
  source,
  modules,
  specialArgs,
  ...
}:
let
  inherit (node.profile) platform;
  system = source.lib.makeSystemConfig {
    inherit specialArgs;
    modules = [
      (if platform == null then { } else { nixpkgs.hostPlatform = lib.mkDefault platform; })
    ]
    ++ modules;
  };
in
if source ? lib.makeSystemConfig then
  {
    config = system.config or { };
    inherit system;
  }
else
  throw "node ${name}: profile.source must be the flake system-manager (one with lib.makeSystemConfig): write nodes.${name}.profile.source = inputs.system-manager;"
