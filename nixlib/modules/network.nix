# network: its name, its id, and the nixpkgs it is made with.
{ lib, config, ... }:
let
  inherit (lib) mkOption types;
  inherit (config._internal) root defaultNixpkgs compat;

  idFile = root + "/network-id";
  # A regular expression costs more than everything else in this file.
  withoutSpace = builtins.replaceStrings [ " " "\t" "\r" "\n" ] [ "" "" "" "" ];
in
{
  options.network = {
    name = mkOption {
      type = types.str;
      default = throw "network.name is not set: write `network.name = \"home\";` in network.nix (or the flake's gitDeploy)";
      defaultText = compat.prose "must be set";
      example = "home";
      description = "The name of the network. Nodes keep its repository in a folder of this name.";
    };

    id = mkOption {
      type = types.str;
      default =
        if root == null then
          throw "network.id is not set, and the network has no repository to read the file network-id from: pass `self` to mkNetwork, or set network.id"
        else if builtins.pathExists idFile then
          withoutSpace (builtins.readFile idFile)
        else
          throw "the file network-id is missing: `git deploy init` writes it, and it must be committed (${toString idFile})";
      defaultText = compat.prose "the content of the file {file}`network-id`";
      example = "6e0b4c52-8a5c-4a0e-9d0e-0f9f1c0c7f55";
      description = "The id of the network, which never changes. A node refuses pushes of other networks by it. `git deploy init` writes it to the file {file}`network-id`.";
    };

    nixpkgs = mkOption {
      type = compat.types.raw;
      default = defaultNixpkgs;
      defaultText = compat.literal "<nixpkgs>";
      example = compat.literal "inputs.nixpkgs";
      description = ''
        The nixpkgs whose `lib` evaluates the network, and that of every node which has none of its own: a path, a flake input or a pin (anything with `outPath`).
        It is best written at the top of {file}`network.nix`, where it is seen before anything is evaluated.
      '';
    };
  };
}
