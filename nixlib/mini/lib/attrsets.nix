# Functions of attribute sets.
{ lib }:
let
  inherit (builtins)
    attrNames
    head
    tail
    length
    elemAt
    isAttrs
    listToAttrs
    foldl'
    zipAttrsWith
    ;
in
rec {
  inherit (builtins)
    attrNames
    attrValues
    listToAttrs
    hasAttr
    isAttrs
    getAttr
    removeAttrs
    intersectAttrs
    mapAttrs
    catAttrs
    zipAttrsWith
    ;

  nameValuePair = name: value: { inherit name value; };
  genAttrs = names: f: genAttrs' names (name: nameValuePair name (f name));
  genAttrs' = xs: f: listToAttrs (map f xs);
  optionalAttrs = cond: attrs: if cond then attrs else { };
  isDerivation = v: v.type or null == "derivation";
  toDerivation =
    path:
    let
      p = builtins.storePath path;
    in
    {
      type = "derivation";
      name = builtins.unsafeDiscardStringContext (builtins.substring 33 (-1) (baseNameOf p));
      outPath = p;
      outputs = [ "out" ];
      outputName = "out";
    };

  attrByPath =
    path: default: set:
    if path == [ ] then
      set
    else if set ? ${head path} then
      attrByPath (tail path) default set.${head path}
    else
      default;
  hasAttrByPath =
    path: set:
    path == [ ] || (set ? ${head path} && hasAttrByPath (tail path) set.${head path});
  getAttrFromPath = path: attrByPath path (throw "cannot find attribute '${lib.concatStringsSep "." path}'");
  setAttrByPath = path: value: if path == [ ] then value else { ${head path} = setAttrByPath (tail path) value; };
  attrVals = names: set: map (n: set.${n}) names;
  getAttrs = names: set: genAttrs names (n: set.${n});

  filterAttrs = pred: set: removeAttrs set (builtins.filter (n: !pred n set.${n}) (attrNames set));
  mapAttrs' = f: set: listToAttrs (map (n: f n set.${n}) (attrNames set));
  mapAttrsToList = f: set: map (n: f n set.${n}) (attrNames set);
  attrsToList = mapAttrsToList nameValuePair;
  concatMapAttrs = f: set: foldl' (a: b: a // b) { } (mapAttrsToList f set);
  filterMapAttrs =
    pred: f: set:
    builtins.mapAttrs f (filterAttrs pred set);
  foldAttrs =
    op: nul: sets:
    zipAttrsWith (_: lib.foldr op nul) sets;
  foldlAttrs =
    f: init: set:
    foldl' (acc: n: f acc n set.${n}) init (attrNames set);
  mergeAttrsList = foldl' (a: b: a // b) { };
  zipAttrs = zipAttrsWith (_: vs: vs);
  cartesianProductOfSets =
    sets:
    foldl' (
      rows: n: builtins.concatMap (row: map (v: row // { ${n} = v; }) sets.${n}) rows
    ) [ { } ] (attrNames sets);

  mapAttrsRecursive = mapAttrsRecursiveCond (_: true);
  mapAttrsRecursiveCond =
    cond: f:
    let
      go =
        path:
        builtins.mapAttrs (
          n: v:
          let
            path' = path ++ [ n ];
          in
          if isAttrs v && cond v then go path' v else f path' v
        );
    in
    go [ ];
  collect =
    pred: v:
    if pred v then
      [ v ]
    else if isAttrs v then
      builtins.concatMap (collect pred) (builtins.attrValues v)
    else
      [ ];

  recursiveUpdateUntil =
    stop: a: b:
    let
      go =
        path:
        zipAttrsWith (
          n: vs:
          let
            here = path ++ [ n ];
          in
          if length vs == 1 || stop here (elemAt vs 1) (head vs) then head vs else go here vs
        );
    in
    go [ ] [
      b
      a
    ];
  recursiveUpdate = recursiveUpdateUntil (
    _: a: b:
    !(isAttrs a && isAttrs b)
  );

  getOutput = output: pkg: if !pkg ? outputSpecified || !pkg.outputSpecified then pkg.${output} or pkg.out or pkg else pkg;
  getBin = getOutput "bin";
  getLib = getOutput "lib";
  getDev = getOutput "dev";
  getMan = getOutput "man";
  getExe = pkg: getExe' pkg (pkg.meta.mainProgram or (lib.getName pkg));
  getExe' = pkg: name: "${getBin pkg}/bin/${name}";
  recurseIntoAttrs = attrs: attrs // { recurseForDerivations = true; };
  dontRecurseIntoAttrs = attrs: attrs // { recurseForDerivations = false; };
  showAttrPath = path: if path == [ ] then "<root attribute path>" else lib.concatMapStringsSep "." lib.strings.escapeNixIdentifier path;
  updateManyAttrsByPath =
    updates: set:
    foldl' (
      acc: u: recursiveUpdate acc (setAttrByPath u.path (u.update (attrByPath u.path null acc)))
    ) set updates;
  matchAttrs =
    pattern: attrs:
    builtins.all (
      n:
      attrs ? ${n}
      && (if isAttrs pattern.${n} then isAttrs attrs.${n} && matchAttrs pattern.${n} attrs.${n} else pattern.${n} == attrs.${n})
    ) (attrNames pattern);
}
