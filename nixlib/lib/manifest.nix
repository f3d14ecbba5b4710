# What is known of a network without evaluating any node's configuration;
# read by package bundle (Manifest). Change the version with the shape.
{ lib, config }:
{
  version = 1;
  network = {
    inherit (config.network) name id;
  };
  nodes = lib.mapAttrs (name: node: {
    inherit (node.deploy)
      host
      user
      tags
      branch
      evaluate
      build
      ;
    port = if node.deploy.port == null then 0 else node.deploy.port;
    profile = import ./profile.nix {
      inherit lib name node;
      network = config.network.name;
    };
    timeouts = {
      inherit (node.deploy.timeouts) activate confirm reboot;
    };
  }) config.nodes;
}
