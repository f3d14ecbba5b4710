# What there is beside an option that does not exist: read only to explain the error.
{
  # Of the network, and the node that was evaluated ("": none).
  dir,
  node,
  # The option: its names as a list in JSON.
  json,
}:
let
  inherit (builtins)
    attrNames
    elemAt
    filter
    fromJSON
    head
    isAttrs
    length
    substring
    tail
    tryEval
    ;
  # Since 2015 module systems tell their options only where nothing is wrong, unless they do not look.
  unchecked =
    { lib, ... }:
    if (lib.evalModules { modules = [ ]; }).options ? _module then { _module.check = false; } else { };
  network = import ../cli.nix {
    inherit dir;
    modules = [
      { imports = [ unchecked ]; }
      { defaults.configuration = unchecked; }
    ];
  };
  sound = (tryEval (builtins.seq (import ../cli.nix { inherit dir; }).config null)).success;
  option = fromJSON json;
  isOption = o: isAttrs o && o._type or "" == "option";

  # The options at the place that `path` leads to from `tree`; null for none.
  at =
    tree: path:
    if path == [ ] || !(isAttrs tree) then
      tree
    else if !(tree ? ${head path}) then
      null
    else if isOption tree.${head path} then
      below (tree.${head path}.type.getSubOptions [ ]) (tail path)
    else
      at tree.${head path} (tail path);

  # An option's value may have names of the user's own before the options begin.
  below =
    tree: path:
    let
      names = depth tree;
    in
    if names == null || length path < names then null else at tree (drop names path);
  # How many: what an option's place has more than its way in the tree.
  depth =
    tree:
    let
      go =
        level: t:
        let
          found = filter (d: d != null) (
            map (n: if isOption t.${n} then length t.${n}.loc - level - 1 else go (level + 1) t.${n}) (
              filter (n: substring 0 1 n != "_" && isAttrs t.${n}) (attrNames t)
            )
          );
        in
        if found == [ ] then null else head found;
    in
    if isAttrs tree then go 0 tree else null;
  drop = n: list: if n == 0 then list else drop (n - 1) (tail list);

  parent = builtins.genList (elemAt option) (length option - 1);
  names =
    tree:
    let
      here = at tree parent;
    in
    if isAttrs here then filter (n: shown n here.${n}) (attrNames here) else [ ];
  shown = name: o: substring 0 1 name != "_" && !(isOption o && (o.internal or false || o.visible or true == false));

  # Whether the option is one of the network is not in the error.
  ofNetwork =
    node == ""
    || network.options ? ${head option}
    || !sound;
in
{
  inherit ofNetwork;
  names = names (if ofNetwork then network.options else network.nodes.${node}.options);
}
