# lookup: nodes by name and by tag, for modules of networks and configurations.
# `nodes.<name>` says only that an attribute is missing; this says what there is.
{ lib, nodes }:
let
  inherit (lib)
    attrNames
    concatMap
    concatStringsSep
    elem
    filter
    unique
    ;

  list = words: if words == [ ] then "none" else concatStringsSep ", " words;
  tagsOf = name: nodes.${name}.deploy.tags;
  missing = name: "there is no node ${name} (nodes: ${list (attrNames nodes)}): add nodes.${name} to the network, or name one of these";
in
{
  # The node of this name.
  node = name: nodes.${name} or (throw (missing name));

  # The same names, once it is certain that there are all these nodes; `option`
  # is where they stand.
  named =
    option: names:
    let
      unknown = filter (name: !(nodes ? ${name})) names;
    in
    if unknown == [ ] then names else throw "${option}: ${missing (lib.head unknown)}";

  # Names of the nodes whose profile is a system of NixOS.
  systems = filter (name: nodes.${name}.profile.kind == "nixos") (attrNames nodes);

  # Names of the nodes with this tag, of which there is at least one.
  tagged =
    tag:
    let
      found = filter (name: elem tag (tagsOf name)) (attrNames nodes);
    in
    if found != [ ] then
      found
    else
      throw "no node has the tag ${tag} (tags: ${list (unique (concatMap tagsOf (attrNames nodes)))}): write nodes.<name>.deploy.tags = [ \"${tag}\" ]; for those that should, or name one of these";
}
