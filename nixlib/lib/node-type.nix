# The type of a node: a submodule, whose settings are read without evaluating it
# wherever they are plain data.
#
# A manifest needs ten settings of each of a hundred nodes, and a submodule
# costs a millisecond. Most definitions are attribute sets with literals: no
# module functions, no options of their own. Their settings are merged right
# here, by the same types with the same priorities. Whatever is not so plain,
# and whatever is wrong, goes to the submodule, which alone reports errors of
# structure.
{
  lib,
  submodule,
  # Options that may be read so: a tree with the top-level name first. What is
  # below a name is looked at, what an option is set to is not.
  fast,
  # name -> node -> settings -> those that read otherwise than they are set.
  read,
  # Names of all options at the top of a node.
  names,
  # Modules that are part of every node besides its definitions.
  common,
  # name -> definitions that every node has.
  implied,
  # Modules by tag, for the nodes that have it.
  groups,
}:
let
  inherit (builtins)
    all
    any
    attrNames
    concatMap
    filter
    isAttrs
    isFunction
    isList
    isString
    length
    mapAttrs
    typeOf
    ;
  inherit (lib) isOption last mkOptionDefault;
  inherit (lib.modules or lib) mergeDefinitions;

  structure = [
    "_file"
    "imports"
  ];
  known = structure ++ names;
  slow = filter (n: !(fast ? ${n})) names;

  # A file that is no module would be reported where it is read, which is here.
  load =
    node: file:
    let
      m = import file;
      a = {
        bool = "a boolean";
        float = "a number";
        int = "a number";
        null = "null";
      };
    in
    if isAttrs m || isFunction m then
      m
    else
      throw "node ${node}: ${toString file} holds ${a.${typeOf m} or "a ${typeOf m}"}, and must hold a module: { deploy.host = \"...\"; configuration = { ... }; }";

  # A module as definitions, or null if that takes a module system.
  plain =
    node: file: m:
    if isFunction m then
      null
    else if typeOf m == "path" || isString m then
      plain node (toString m) (load node m)
    else if !(isAttrs m) then
      null
    else if m ? _type || !(all (n: lib.elem n known) (attrNames m)) then
      null
    else
      let
        here = m._file or file;
        inner = map (plain node here) (m.imports or [ ]);
        own = {
          file = here;
          value = removeAttrs m structure;
        };
      in
      if !(fits fast (removeAttrs own.value slow)) || any (i: i == null) inner then
        null
      else
        [ own ] ++ concatMap (i: i) inner;

  # Nothing but options of the tree, down to their values.
  fits =
    tree: v:
    isAttrs v
    && !(v ? _type)
    && all (n: tree ? ${n} && (isOption tree.${n} || fits tree.${n} v.${n})) (attrNames v);

  merge =
    loc: tree: defs: whole:
    mapAttrs (
      n: decl:
      let
        here = loc ++ [ n ];
        own = concatMap (
          d:
          if d.value ? ${n} then
            [
              {
                inherit (d) file;
                value = d.value.${n};
              }
            ]
          else
            [ ]
        ) defs;
        byDefault =
          if decl ? default then
            [
              {
                file = "nixlib";
                value = mkOptionDefault decl.default;
              }
            ]
          else
            [ ];
      in
      if !(isOption decl) then
        merge here decl own whole.${n}
      else if own == [ ] && decl ? default && decl.type.getSubModules or null == null then
        decl.default
      # How several lists are put in order is the module system's business.
      else if length own > 1 && isList (decl.default or null) then
        whole.${n}
      else
        (mergeDefinitions here decl.type (byDefault ++ own)).mergedValue
    ) tree;

  commonPlain = map (plain "of nixlib" "nixlib") common;
  commonDefs = if any (p: p == null) commonPlain then null else concatMap (p: p) commonPlain;

  # A group's module is one more definition of the nodes that have its tag. The
  # tags are read of the node without groups.
  mergeWithGroups =
    submodule: loc: defs:
    let
      alone = mergeNode submodule loc defs;
      inherit (alone.deploy) tags;
      ofGroup = tag: {
        file = "groups.${tag}";
        # Module systems of before submoduleWith read a set as settings and only
        # a function as a module.
        value = if lib.types ? submoduleWith then groups.${tag} else { ... }: groups.${tag};
      };
    in
    if groups == { } then
      alone
    else
      mergeNode submodule loc (defs ++ map ofGroup (filter (tag: groups ? ${tag}) (lib.unique tags)));

  mergeNode =
    submodule: loc: defs:
    let
      whole = submodule.merge loc defs;
      own = map (d: plain (last loc) (toString d.file) d.value) defs;
    in
    if commonDefs == null || any (p: p == null) own then
      whole
    else
      let
        settings = merge loc fast (implied (last loc) ++ commonDefs ++ concatMap (p: p) own) whole;
        node = lib.genAttrs slow (n: whole.${n}) // settings // read (last loc) node settings;
      in
      node;
in
import ./wrap-submodule.nix mergeWithGroups submodule
