# What declares a node: anything that the network's own files say of it, and
# anywhere else whatever is more than its configuration. A module that misspells
# a node would make a new one, and leave the old one without what it was to have.
{
  lib,
  # The option: its definitions say who sets what.
  nodes,
  # The modules of the network itself.
  modules,
  # Names of the nodes to look at.
  names,
}:
let
  inherit (builtins)
    attrNames
    isAttrs
    isFunction
    replaceStrings
    ;
  inherit (lib)
    all
    any
    concatMap
    concatStringsSep
    elem
    filter
    stringLength
    unique
    ;

  definitions = lib.zipListsWith (file: value: {
    file = toString file;
    inherit value;
  }) nodes.files nodes.definitions;

  # Of these some definition says nothing but the configuration.
  bare = filter (name: any (d: of name d != [ ] && adds name d) definitions) (unique names);

  # What a definition says of a node, without conditions and priorities.
  of = name: d: if d.value ? ${name} then contents d.value.${name} else [ ];
  contents =
    v:
    {
      "if" = if v.condition then contents v.content else [ ];
      merge = concatMap contents v.contents;
      override = contents v.content;
    }
    .${v._type or ""} or [ v ];
  adds = name: d: all (v: isAttrs v && attrNames v == [ "configuration" ]) (of name d);

  # Where the network itself is written. A module that names no node itself, as a
  # flake's that only adds its nixpkgs, stands for those that it imports.
  files =
    here: m:
    if isFunction m then
      [ here ]
    else if !(isAttrs m) then
      [ (toString m) ]
    else if m ? imports && !(m ? nodes || m ? config.nodes) then
      concatMap (files (m._file or here)) m.imports
    else
      [ (m._file or here) ];
  own = concatMap (files "<unknown-file>") modules;

  says = name: filter (d: of name d != [ ]) definitions;
  declared = name: any (d: elem d.file own || !(adds name d)) (says name);
  strangers = filter (name: !(declared name)) bare;
  known = unique (concatMap (d: filter (n: !(elem n strangers)) (attrNames d.value)) definitions);

  # web2 beside web1 is no mistake.
  withoutDigits = replaceStrings (map toString (lib.range 0 9)) (map (_: "") (lib.range 0 9));
  similar =
    a: b:
    # Old libraries cannot compare names.
    lib.strings ? levenshtein
    && stringLength a > 2
    && stringLength b > 2
    && withoutDigits a != withoutDigits b
    && lib.strings.levenshtein a b <= 2;
  meant = near: lib.optionalString (near != [ ]) "did you mean nodes.${lib.head near}? ";
  where = name: concatStringsSep " and " (map (d: d.file) (says name));
  host = name: "nodes.${name}.deploy.host = \"${name}\";";

  # In the network's own files such a node is one, and yet it may be a mistake.
  others = name: concatMap (d: if d.value ? ${name} then [ ] else attrNames d.value) definitions;
  doubtful = filter (name: declared name && lib.length (says name) == 1) bare;
in
{
  assertions = map (name: {
    assertion = false;
    message = "${where name} sets nodes.${name}.configuration, and nothing declares a node ${name} (nodes: ${
      if known == [ ] then "none" else concatStringsSep ", " known
    }): ${meant (filter (similar name) known)}For a new node, write more than its configuration there, such as ${host name}";
  }) strangers;

  warnings = concatMap (
    name:
    let
      near = filter (similar name) (others name);
    in
    if near == [ ] then
      [ ]
    else
      [
        "nodes.${name} is set in ${where name} alone, which says nothing but its configuration: ${meant near}If it is a node of its own, write ${host name}"
      ]
  ) doubtful;
}
