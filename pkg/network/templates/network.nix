# The network @name@. Each file or folder in nodes/ is one node:
# nodes/web.nix and nodes/web/default.nix both describe the node "web".
{ importNodes, nixlib, ... }:
{
  imports = [ (importNodes ./nodes) ];

  network.name = "@name@";

  # The nixpkgs of every node that does not name its own.
  network.nixpkgs = @nixpkgs@;

  # What all nodes have in common.
  defaults.configuration = { };
}
