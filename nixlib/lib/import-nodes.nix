# importNodes DIR: a network module with one node for each NAME.nix and each
# NAME/default.nix in DIR, which hold that node's settings.
{ lib }:
dir:
let
  inherit (builtins)
    attrNames
    concatMap
    listToAttrs
    pathExists
    readDir
    ;
  entries = if pathExists dir then readDir dir else { };

  nodeOf =
    entry:
    let
      file = dir + "/${entry}";
      name = lib.removeSuffix ".nix" entry;
      node = name: file: [
        (
          let
            module.imports = [ file ];
          in
          {
            inherit name;
            # Module systems of before submoduleWith read a set as settings and
            # only a function as a module.
            value = if lib.types ? submoduleWith then module else { ... }: module;
          }
        )
      ];
    in
    if entries.${entry} == "directory" then
      if pathExists (file + "/default.nix") then node entry file else [ ]
    else if name != entry && name != "" then
      node name file
    else
      [ ];
in
{
  _file = toString dir;
  nodes = listToAttrs (concatMap nodeOf (attrNames entries));
}
