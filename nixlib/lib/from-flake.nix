# The network of the flake in the folder `dir`: its output gitDeploy, or else its
# nixosConfigurations.
{ dir, modules }:
let
  mkNetwork = import ./network.nix;
  flake = builtins.getFlake "path:${dir}";
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
    # Errors name the file.
    modules = [
      {
        _file = dir + "/flake.nix";
        imports = [ network ];
      }
    ]
    ++ modules;
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
    inherit nixpkgs root modules;
    inherit (flake) nixosConfigurations;
  }
