# For flakes made with flake-parts: the option gitDeploy is the network, and
# becomes the flake's output of that name.
#
#   imports = [ inputs.git-deploy.flakeModules.default ];
#   gitDeploy = {
#     network.name = "home";
#     nodes.web.configuration = ./web.nix;
#   };
{
  lib,
  config,
  self,
  inputs,
  ...
}:
let
  compat = import ./lib/compat.nix { inherit lib; };
  inherit (import ./. { }) mkNetwork;
in
{
  _file = ./flake-module.nix;

  options.gitDeploy = lib.mkOption {
    type = lib.types.nullOr compat.types.module;
    default = null;
    example = compat.literal ''
      {
        network.name = "home";
        nodes.web.configuration = ./web.nix;
      }
    '';
    description = "The network of git-deploy that this flake describes. Its modules and the configurations of its nodes also have the arguments `inputs` and `self`.";
  };

  config.flake = lib.mkIf (config.gitDeploy != null) {
    gitDeploy = mkNetwork {
      inherit self;
      modules = [ config.gitDeploy ];
      nixpkgs = inputs.nixpkgs or null;
      specialArgs = { inherit inputs self; };
    };
  };
}
