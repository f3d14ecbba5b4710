# Warnings about names of nodes that are most likely misspelled. What sets
# nodes.wbe.configuration makes a node of that name, and another module may mean
# just that; so nothing is refused.
#
# `nodes` is the option: its definitions say who sets what.
{ lib, nodes }:
let
  inherit (builtins) attrNames isAttrs replaceStrings;
  inherit (lib)
    concatMap
    elem
    filter
    stringLength
    zipListsWith
    ;

  definitions = zipListsWith (file: value: {
    inherit file;
    names = attrNames value;
    # Nodes of which it says nothing but the configuration.
    bare = filter (name: isAttrs value.${name} && attrNames value.${name} == [ "configuration" ]) (attrNames value);
  }) nodes.files nodes.definitions;

  # web2 beside web1 is no mistake.
  withoutDigits = replaceStrings (map toString (lib.range 0 9)) (map (_: "") (lib.range 0 9));
  similar =
    a: b:
    lib.all (name: stringLength name > 2) [ a b ]
    && withoutDigits a != withoutDigits b
    && lib.strings.levenshtein a b <= 2;

  all = concatMap (d: d.names) definitions;

  ofDefinition =
    definition:
    let
      others = filter (name: !(elem name definition.names)) all;
    in
    concatMap (
      name:
      let
        near = filter (similar name) others;
      in
      if near == [ ] || lib.count (n: n == name) all > 1 then
        [ ]
      else
        [
          "nodes.${name} is set in ${definition.file} alone, which says nothing but its configuration: did you mean nodes.${lib.head near}? If it is a node of its own, write nodes.${name}.deploy.host = \"${name}\";"
        ]
    ) definition.bare;
in
# Old libraries cannot compare names.
if lib.strings ? levenshtein then concatMap ofDefinition definitions else [ ]
