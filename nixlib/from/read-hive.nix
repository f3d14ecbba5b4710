# What colmena and morph have in common: the hive is evaluated as the network
# that is written, and the option `deployment` of each node read.
{
  mkNetwork,
  dir,
  file,
  lost,
  nix,
  toName,
  unknown,
  nixpkgs,
  nixpkgsText,

  # The hive, and how the file that is written says it.
  hive ? import (dir + "/${file}"),
  hiveText ? "import ./${file}",
  # What the hive calls its own settings, and those that something is said about.
  metaName,
  metaKnown,
  # Settings of a node that something is said about.
  known,
  # The name of a hive that has none.
  defaultName,
  # meta -> node -> deployment -> settings and lost of one node.
  ofNode,
  # meta -> what of it is lost.
  lostOfMeta,
}:
let
  inherit (builtins) attrNames concatMap mapAttrs;
  read = import ./hive.nix { inherit hive nixpkgs; };
  inherit (read) meta;
  network = mkNetwork {
    modules = [
      {
        network = {
          name = "import";
          id = "import";
          inherit (read) nixpkgs;
        };
      }
      read.module
    ];
  };
  nodes = mapAttrs (
    n: node:
    let
      d = node.config.deployment;
      made = ofNode meta n ({ targetHost = n; } // d);
    in
    made // { lost = made.lost ++ unknown "${n}: deployment." (removeAttrs d known); }
  ) network.nodes;
  given = meta.name or defaultName;
  name = toName defaultName given;

  isFlake = file == "flake.nix";
  describe = if meta.description or "" == "" then "" else "# ${builtins.replaceStrings [ "\n" ] [ "\n# " ] meta.description}\n";
in
{
  inherit name;
  nodes = mapAttrs (_: r: r.settings) nodes;
  lost =
    lost "${metaName}." [
      { name = "name"; set = name != given; instead = "the network is called ${name}: a name becomes a folder"; }
    ]
    ++ lostOfMeta meta
    ++ unknown "${metaName}." (removeAttrs meta (metaKnown ++ [ "name" "description" "nixpkgs" "pkgs" "lib" "specialArgs" ]))
    ++ concatMap (n: nodes.${n}.lost) (attrNames nodes);
  files.${if isFlake then "git-deploy.nix" else "network.nix"} = ''
    ${describe}${if isFlake then "{ self }:\n" else ""}{ nixlib, importNodes, ... }:
    let
      hive = import (nixlib + "/from/hive.nix") {
        hive = ${hiveText};
    ${if read.given == null then "    nixpkgs = ${nixpkgsText};\n" else ""}  };
    in
    {
      # The nodes' configurations are in ${file}, how they are deployed in nodes/.
      imports = [
        hive.module
        (importNodes ./nodes)
      ];
      network = {
        name = ${nix "" name};
        inherit (hive) nixpkgs;
      };
    }
  '';
}
