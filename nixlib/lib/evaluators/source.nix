# What the kinds beside NixOS are made from: profile.source, and the packages
# of the node's nixpkgs for profile.platform.
{
  name,
  node,
  ...
}:
let
  find = import ../nixpkgs.nix;
  inherit (node.profile) kind platform;
in
rec {
  source =
    if node.profile.source == null then
      throw "node ${name}: profile.kind is \"${kind}\", and neither profile.source nor profile.package is set: write nodes.${name}.profile.source = inputs.${kind}; (a path or a pin does too), or profile.package = the package that its own tools build"
    else
      node.profile.source;
  path = find.toPath source;

  pkgs = import (find.toPath node.nixpkgs) (
    if platform != null then
      { system = platform; }
    else if builtins ? currentSystem then
      { }
    else
      throw "node ${name}: a flake must say for which platform it is: write nodes.${name}.profile.platform = \"x86_64-linux\";"
  );
}
