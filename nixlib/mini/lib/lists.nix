# Functions of lists.
{ lib }:
let
  inherit (builtins)
    elemAt
    length
    genList
    foldl'
    concatLists
    ;
  inherit (lib) id compare min;
in
rec {
  inherit (builtins)
    head
    tail
    length
    elem
    elemAt
    isList
    filter
    map
    concatLists
    concatMap
    foldl'
    any
    all
    genList
    sort
    partition
    groupBy
    ;

  singleton = x: [ x ];
  toList = x: if builtins.isList x then x else [ x ];
  optional = cond: x: if cond then [ x ] else [ ];
  optionals = cond: xs: if cond then xs else [ ];
  flatten = x: if builtins.isList x then builtins.concatMap flatten x else [ x ];
  last = xs: if xs == [ ] then throw "lib.lists.last: list must not be empty!" else elemAt xs (length xs - 1);
  init = xs: if xs == [ ] then throw "lib.lists.init: list must not be empty!" else genList (elemAt xs) (length xs - 1);

  foldr =
    op: nul: list:
    let
      len = length list;
      go = n: if n == len then nul else op (elemAt list n) (go (n + 1));
    in
    go 0;
  fold = foldr;
  foldl =
    op: nul: list:
    let
      go = n: if n < 0 then nul else op (go (n - 1)) (elemAt list n);
    in
    go (length list - 1);

  imap0 = f: list: genList (n: f n (elemAt list n)) (length list);
  imap1 = f: list: genList (n: f (n + 1) (elemAt list n)) (length list);
  range = first: last: if first > last then [ ] else genList (n: first + n) (last - first + 1);
  replicate = n: x: genList (_: x) n;
  reverseList =
    xs:
    let
      l = length xs;
    in
    genList (n: elemAt xs (l - n - 1)) l;

  sublist =
    start: count: list:
    let
      len = length list;
    in
    genList (n: elemAt list (n + start)) (
      if start >= len then
        0
      else if start + count > len then
        len - start
      else
        count
    );
  take = sublist 0;
  drop = n: list: sublist n (length list) list;
  takeEnd = n: xs: drop (lib.max 0 (length xs - n)) xs;

  findFirst =
    pred: default: list:
    let
      found = builtins.filter pred list;
    in
    if found == [ ] then default else builtins.head found;
  findSingle =
    pred: default: multiple: list:
    let
      found = builtins.filter pred list;
    in
    if found == [ ] then
      default
    else if length found > 1 then
      multiple
    else
      builtins.head found;
  count = pred: foldl' (n: x: if pred x then n + 1 else n) 0;
  remove = e: builtins.filter (x: x != e);
  subtractLists = e: builtins.filter (x: !builtins.elem x e);
  intersectLists = e: builtins.filter (x: builtins.elem x e);
  mutuallyExclusive = a: b: !builtins.any (x: builtins.elem x b) a;

  unique = foldl' (acc: e: if builtins.elem e acc then acc else acc ++ [ e ]) [ ];
  uniqueStrings = list: builtins.attrNames (lib.genAttrs list id);
  allUnique = list: length (unique list) == length list;

  zipListsWith =
    f: a: b:
    genList (n: f (elemAt a n) (elemAt b n)) (min (length a) (length b));
  zipLists = zipListsWith (
    fst: snd: { inherit fst snd; }
  );
  sortOn =
    f: list:
    map (x: builtins.elemAt x 1) (
      builtins.sort (a: b: builtins.head a < builtins.head b) (
        map (x: [
          (f x)
          x
        ]) list
      )
    );
  naturalSort = builtins.sort (a: b: compare a b < 0);
  crossLists = f: foldl' (fs: args: concatLists (map (g: map g args) fs)) [ f ];
  cartesianProduct = lib.cartesianProductOfSets;
  groupBy' =
    op: nul: pred: list:
    builtins.mapAttrs (_: foldl' op nul) (builtins.groupBy pred list);
  hasPrefix = a: b: take (length a) b == a;
  removePrefix =
    a: b:
    if hasPrefix a b then
      drop (length a) b
    else
      throw "lib.lists.removePrefix: First argument is not a list prefix of the second argument";
  ifilter0 =
    pred: list:
    builtins.concatLists (imap0 (i: x: optional (pred i x) x) list);
}
