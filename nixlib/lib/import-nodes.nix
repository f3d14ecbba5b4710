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

  # Module systems of before submoduleWith read a set as settings and only a
  # function as a module.
  module =
    if lib.types ? submoduleWith then
      file: { imports = [ file ]; }
    else
      file: { ... }: {
        imports = [ file ];
      };
  node = file: name: [
    {
      inherit name;
      value = module file;
    }
  ];

  nodeOf =
    entry:
    let
      file = dir + "/${entry}";
      name = lib.removeSuffix ".nix" entry;
    in
    if entries.${entry} == "directory" then
      if pathExists (file + "/default.nix") then node file entry else [ ]
    else if name != entry && name != "" then
      node file name
    else
      [ ];
in
{
  _file = toString dir;
  nodes = listToAttrs (concatMap nodeOf (attrNames entries));
}
