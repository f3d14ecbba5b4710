# Properties of definitions: conditions, priorities and order.
{ lib }:
let
  inherit (builtins) concatMap mapAttrs;
in
rec {
  unknownModule = "<unknown-file>";
  isType = type: x: (x._type or "") == type;
  setType =
    type: x:
    x // { _type = type; };

  # --- properties of definitions

  mkIf = condition: content: {
    _type = "if";
    inherit condition content;
  };
  mkMerge = contents: {
    _type = "merge";
    inherit contents;
  };
  mkAssert =
    assertion: message: content:
    mkIf (if assertion then true else throw "\nFailed assertion: ${message}") content;
  mkDefinition = args: args // { _type = "definition"; };

  # The smaller number wins.
  mkOverride = priority: content: {
    _type = "override";
    inherit priority content;
  };
  defaultOverridePriority = 100;
  defaultPriority = defaultOverridePriority;
  optionDefaultPriority = 1500;
  mkOptionDefault = mkOverride optionDefaultPriority;
  mkDefault = mkOverride 1000;
  mkImageMediaOverride = mkOverride 60;
  mkForce = mkOverride 50;
  mkVMOverride = mkOverride 10;
  mkFixStrictness = lib.id;

  # The smaller number comes first.
  mkOrder = priority: content: {
    _type = "order";
    inherit priority content;
  };
  defaultOrderPriority = 1000;
  mkBefore = mkOrder 500;
  mkAfter = mkOrder 1500;

  # Conditions and merges that lie around a set of options move to its members.
  pushDownProperties =
    v:
    let
      t = v._type or "";
    in
    if t == "merge" then
      concatMap pushDownProperties v.contents
    else if t == "if" then
      map (mapAttrs (_: mkIf v.condition)) (pushDownProperties v.content)
    else if t == "override" then
      map (mapAttrs (_: mkOverride v.priority)) (pushDownProperties v.content)
    else if t == "order" then
      map (mapAttrs (_: mkOrder v.priority)) (pushDownProperties v.content)
    else
      [ v ];

  # All values of one definition whose conditions hold.
  dischargeProperties =
    v:
    let
      t = v._type or "";
    in
    if t == "merge" then
      concatMap dischargeProperties v.contents
    else if t == "if" then
      if builtins.isBool v.condition then
        if v.condition then dischargeProperties v.content else [ ]
      else
        throw "‘mkIf’ called with a non-Boolean condition"
    else
      [ v ];

  filterOverrides = defs: (filterOverrides' defs).values;
  filterOverrides' =
    defs:
    let
      isOverride = def: def.value._type or "" == "override";
      prioOf = def: if isOverride def then def.value.priority else defaultOverridePriority;
      highestPrio = builtins.foldl' (p: def: lib.min p (prioOf def)) 9999 defs;
      strip = def: if isOverride def then def // { value = def.value.content; } else def;
    in
    # Most options have but plain definitions.
    if defs != [ ] && !(builtins.any isOverride defs) then
      {
        values = defs;
        highestPrio = defaultOverridePriority;
      }
    else
      {
        values = concatMap (def: if prioOf def == highestPrio then [ (strip def) ] else [ ]) defs;
        inherit highestPrio;
      };

  sortProperties =
    defs:
    let
      isOrdered = def: (def.value._type or "") == "order";
      strip =
        def:
        if isOrdered def then
          def
          // {
            value = def.value.content;
            inherit (def.value) priority;
          }
        else
          def;
      prioOf = def: def.priority or defaultOrderPriority;
    in
    if builtins.any isOrdered defs then builtins.sort (a: b: prioOf a < prioOf b) (map strip defs) else defs;
}
