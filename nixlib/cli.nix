# What the program evaluates: the network in the folder `dir`.
#
#   nix-instantiate --eval --strict --json cli.nix --argstr dir DIR -A manifest
#   nix-build cli.nix --argstr dir DIR -A nodes.NAME.bundle
#
# A folder with flake.nix is a flake: its output gitDeploy (made by mkNetwork,
# or simply a network module), else its nixosConfigurations. A folder with
# network.nix is a network without flakes.
{
  # Absolute path of a checked-out network repository.
  dir,
  # More modules, for what is asked of the network.
  modules ? [ ],
}:
let
  inherit (builtins) pathExists;
in
if pathExists (dir + "/flake.nix") then
  import ./lib/from-flake.nix { inherit dir modules; }
else if pathExists (dir + "/network.nix") then
  import ./lib/network.nix {
    file = dir + "/network.nix";
    root = dir;
    inherit modules;
  }
else
  throw "no network in ${dir}: there is neither a flake.nix nor a network.nix (`git deploy init` makes one)"
