# `git deploy import`: the files of a network that does what another tool's
# definition says, and what of that cannot be carried over. The user's own
# modules stay in their files, which the network imports.
{
  # colmena, morph, nixus or deploy-rs.
  tool,
  # Folder of the definition, and its file in there.
  dir,
  file,
  # The nixpkgs of a definition that names none, and how that is written.
  nixpkgs ? <nixpkgs>,
  nixpkgsText ? "<nixpkgs>",
}:
let
  inherit (builtins)
    attrNames
    concatMap
    concatStringsSep
    mapAttrs
    ;
  inherit (import ../. { }) mkNetwork;
  path = dir + "/${file}";

  made = import (./. + "/read-${tool}.nix") {
    inherit mkNetwork path file dir nixpkgs nixpkgsText;
    inherit
      lost
      unknown
      only
      nix
      toName
      toFlake
      ;
  };

  # A sentence for each setting that is not what it would be anyway.
  lost = where: settings: concatMap (s: if s.set then [ "${where}${s.name}: ${s.instead}" ] else [ ]) settings;
  # And one for each that nothing else is said about.
  unknown =
    where: settings:
    lost where (
      map (name: {
        inherit name;
        set = true;
        instead = "git-deploy knows nothing of it";
      }) (attrNames settings)
    );
  # Settings that say something.
  only =
    attrs:
    let
      kept = builtins.filter (n: attrs.${n} != null && attrs.${n} != { } && attrs.${n} != [ ]) (attrNames attrs);
    in
    builtins.listToAttrs (map (name: { inherit name; value = attrs.${name}; }) kept);

  # A network's name becomes a folder.
  toName =
    default: given:
    let
      words = builtins.filter (w: builtins.isString w && w != "") (builtins.split "[^a-zA-Z0-9]+" given);
    in
    if builtins.match "[a-zA-Z0-9]([a-zA-Z0-9_-]*[a-zA-Z0-9])?" given != null then
      given
    else if words != [ ] then
      concatStringsSep "-" words
    else
      default;

  # A network beside a flake: a setting by node that says what it is.
  toFlake = name: settings: {
    hints = [ "write to the outputs of flake.nix: gitDeploy = import ./git-deploy.nix { inherit self; };" ];
    files."git-deploy.nix" = ''
      { self }:
      { importNodes, ... }:
      {
        # How they are deployed is in nodes/.
        imports = [ (importNodes ./nodes) ];
        network.name = ${nix "" name};
        nodes = {
      ${concatStringsSep "" (map (n: "    ${builtins.toJSON n}.${settings.${n}};\n") (attrNames settings))}  };
      }
    '';
  };

  # Plain data as Nix code.
  nix = indent: v:
    let
      inner = "${indent}  ";
      quote = builtins.replaceStrings [ "\${" ] [ "\\\${" ];
      key = n: if builtins.match "[a-zA-Z_][a-zA-Z0-9_'-]*" n != null then n else quote (builtins.toJSON n);
    in
    if builtins.isAttrs v then
      if v == { } then "{ }" else "{\n${concatStringsSep "" (map (n: "${inner}${key n} = ${nix inner v.${n}};\n") (attrNames v))}${indent}}"
    else if builtins.isList v then
      "[ ${concatStringsSep "" (map (x: "${nix inner x} ") v)}]"
    else
      quote (builtins.toJSON v);

  header = "# Written by `git deploy import ${tool} ${file}`.\n";
in
{
  inherit (made) name lost;
  hints = made.hints or [ ];
  files = mapAttrs (_: text: header + text) (
    made.files
    // (mapAttrs (_: settings: nix "" settings + "\n") (
      builtins.listToAttrs (
        map (name: { name = "nodes/${name}.nix"; value = made.nodes.${name}; }) (attrNames made.nodes)
      )
    ))
  );
}
