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
}:
let
  inherit (builtins) getFlake pathExists;
  mkNetwork = import ./lib/network.nix;

  fromFlake =
    flake:
    let
      network = flake.outputs.gitDeploy or flake.gitDeploy;
      # A flake may call its nixpkgs otherwise; then that of its first system serves.
      systems = builtins.attrValues (flake.nixosConfigurations or { });
      nixpkgs =
        flake.inputs.nixpkgs
          or (if systems == [ ] then null else (builtins.head systems).pkgs.path or null);
      root = dir;
    in
    if !(flake ? gitDeploy) && !(flake ? nixosConfigurations) then
      throw "${dir}/flake.nix has neither the output gitDeploy (a network) nor nixosConfigurations (NixOS systems): add one of them"
    else if flake.gitDeploy.manifest or null != null then
      flake.gitDeploy
    else if flake ? gitDeploy then
      mkNetwork {
        modules = [ network ];
        self = flake;
        inherit nixpkgs root;
        specialArgs = {
          inherit (flake) inputs;
          self = flake;
        };
      }
    else
      mkNetwork {
        self = flake;
        inherit nixpkgs root;
        inherit (flake) nixosConfigurations;
      };
in
if pathExists (dir + "/flake.nix") then
  fromFlake (getFlake "path:${dir}")
else if pathExists (dir + "/network.nix") then
  mkNetwork {
    file = dir + "/network.nix";
    root = dir;
  }
else
  throw "no network in ${dir}: there is neither a flake.nix nor a network.nix (`git deploy init` makes one)"
