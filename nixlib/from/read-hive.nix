# What colmena and morph have in common: the hive is evaluated as the network
# that is written, and the option `deployment` of each node read.
{
  mkNetwork,
  path,
  file,
  # name of the network; settings and lost of one node, of its name and deployment.
  name,
  ofNode,
  lost,
  nixpkgs,
  nixpkgsText,
}:
let
  hive = import ./hive.nix {
    hive = import path;
    inherit nixpkgs;
  };
  network = mkNetwork {
    modules = [
      {
        network = {
          name = "import";
          id = "import";
          inherit (hive) nixpkgs;
        };
      }
      hive.module
    ];
  };
  read = builtins.mapAttrs (n: node: ofNode n ({ targetHost = n; } // node.config.deployment)) network.nodes;
in
{
  name = name hive.meta;
  nodes = builtins.mapAttrs (_: r: r.settings) read;
  lost = lost hive.meta ++ builtins.concatMap (n: read.${n}.lost) (builtins.attrNames read);
  files."network.nix" = ''
    { nixlib, importNodes, ... }:
    let
      hive = import (nixlib + "/from/hive.nix") {
        hive = import ./${file};
        nixpkgs = ${nixpkgsText}; # where the hive has none
      };
    in
    {
      # The nodes' configurations are in ${file}, how they are deployed in nodes/.
      imports = [
        hive.module
        (importNodes ./nodes)
      ];
      network = {
        name = "${name hive.meta}";
        inherit (hive) nixpkgs;
      };
    }
  '';
}
