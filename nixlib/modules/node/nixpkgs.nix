# nodes.<name>.nixpkgs: nodes need not have the same one.
{
  lib,
  compat,
  network,
}:
{
  nixpkgs = lib.mkOption {
    type = compat.types.raw;
    default = network.network.nixpkgs;
    defaultText = compat.literal "network.nixpkgs";
    example = compat.literal "inputs.nixpkgs-unstable";
    description = "The nixpkgs that evaluates and builds this node: a path, a flake input or a pin (anything with `outPath`).";
  };
}
