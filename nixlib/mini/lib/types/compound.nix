# Types of values that are made of others.
{ lib }:
let
  inherit (builtins)
    concatMap
    head
    isAttrs
    isList
    length
    mapAttrs
    zipAttrsWith
    ;
  inherit (lib)
    isFunction
    last
    mergeDefinitions
    mergeOneOption
    optionalString
    showOption
    ;
  make = import ./make.nix { inherit lib; };
  inherit (make)
    defaultFunctor
    elemTypeFunctor
    mkOptionType
    nounLike
    optionDescriptionPhrase
    ;

  # Members of a set, by name, with the definitions of each.
  byName =
    defs:
    zipAttrsWith (_: ds: ds) (
      map (def: mapAttrs (_: value: { inherit (def) file; inherit value; }) def.value) defs
    );

  # `name` stands for that of any member where an option is shown.
  attrsOfWith =
    lazy: placeholder: elemType:
    let
      name = if lazy then "lazyAttrsOf" else "attrsOf";
    in
    mkOptionType {
      inherit name;
      description = "${optionalString lazy "lazy "}attribute set of ${nounLike elemType}";
      descriptionClass = "composite";
      check = isAttrs;
      merge =
        loc: defs:
        let
          members = mapAttrs (n: ds: mergeDefinitions (loc ++ [ n ]) elemType ds) (byName (pushed defs));
          pushed = concatMap (
            def: map (value: def // { inherit value; }) (lib.pushDownProperties def.value)
          );
        in
        if lazy then
          mapAttrs (_: m: m.optionalValue.value or elemType.emptyValue.value or m.mergedValue) members
        else
          mapAttrs (_: m: m.mergedValue) (lib.filterAttrs (_: m: m.isDefined) members);
      emptyValue.value = { };
      getSubOptions = prefix: elemType.getSubOptions (prefix ++ [ "<${placeholder}>" ]);
      getSubModules = elemType.getSubModules;
      substSubModules = m: attrsOfWith lazy placeholder (elemType.substSubModules m);
      functor = elemTypeFunctor name (attrsOfWith lazy placeholder) elemType;
      nestedTypes.elemType = elemType;
    };
in
rec {
  listOf =
    elemType:
    mkOptionType {
      name = "listOf";
      description = "list of ${nounLike elemType}";
      descriptionClass = "composite";
      check = isList;
      merge =
        loc: defs:
        let
          items = lib.concatLists (
            lib.imap1 (
              n: def:
              lib.imap1 (
                m: value:
                (mergeDefinitions (loc ++ [ "[definition ${toString n}-entry ${toString m}]" ]) elemType [
                  {
                    inherit (def) file;
                    inherit value;
                  }
                ]).optionalValue
              ) def.value
            ) defs
          );
        in
        map (x: x.value) (builtins.filter (x: x ? value) items);
      emptyValue.value = [ ];
      getSubOptions = prefix: elemType.getSubOptions (prefix ++ [ "*" ]);
      getSubModules = elemType.getSubModules;
      substSubModules = m: listOf (elemType.substSubModules m);
      functor = elemTypeFunctor "listOf" listOf elemType;
      nestedTypes.elemType = elemType;
    };
  nonEmptyListOf =
    elemType:
    addCheck (listOf elemType) (l: l != [ ])
    // {
      description = "non-empty (${(listOf elemType).description})";
      emptyValue = { };
    };

  attrsOf = attrsOfWith false "name";
  lazyAttrsOf = attrsOfWith true "name";
  attrsWith =
    {
      elemType,
      lazy ? false,
      placeholder ? "name",
    }:
    attrsOfWith lazy placeholder elemType;
  attrs = mkOptionType {
    name = "attrs";
    description = "attribute set";
    check = isAttrs;
    merge = _: builtins.foldl' (all: def: all // def.value) { };
    emptyValue.value = { };
  };
  loaOf = attrsOf;

  uniq = unique { message = ""; };
  unique =
    { message }:
    type:
    mkOptionType {
      name = "unique";
      inherit (type)
        description
        descriptionClass
        check
        emptyValue
        getSubOptions
        getSubModules
        ;
      merge = lib.mergeUniqueOption {
        inherit message;
        inherit (type) merge;
      };
      substSubModules = m: unique { inherit message; } (type.substSubModules m);
      functor = elemTypeFunctor "unique" (unique { inherit message; }) type;
      nestedTypes.elemType = type;
    };

  nullOr =
    elemType:
    mkOptionType {
      name = "nullOr";
      description = "null or ${
        optionDescriptionPhrase (c: c == "noun" || c == "conjunction") elemType
      }";
      descriptionClass = "conjunction";
      check = x: x == null || elemType.check x;
      merge =
        loc: defs:
        let
          nulls = lib.count (def: def.value == null) defs;
        in
        if nulls == length defs then
          null
        else if nulls != 0 then
          throw "The option `${showOption loc}` is defined both null and not null, in ${lib.showFiles (lib.getFiles defs)}."
        else
          elemType.merge loc defs;
      emptyValue.value = null;
      getSubOptions = elemType.getSubOptions;
      getSubModules = elemType.getSubModules;
      substSubModules = m: nullOr (elemType.substSubModules m);
      functor = elemTypeFunctor "nullOr" nullOr elemType;
      nestedTypes.elemType = elemType;
    };

  functionTo =
    elemType:
    mkOptionType {
      name = "functionTo";
      description = "function that evaluates to a(n) ${nounLike elemType}";
      descriptionClass = "composite";
      check = isFunction;
      merge = loc: defs: arg:
        (mergeDefinitions (loc ++ [ "<function body>" ]) elemType (
          map (def: {
            inherit (def) file;
            value = def.value arg;
          }) defs
        )).mergedValue;
      getSubOptions = prefix: elemType.getSubOptions (prefix ++ [ "<function body>" ]);
      getSubModules = elemType.getSubModules;
      substSubModules = m: functionTo (elemType.substSubModules m);
      functor = elemTypeFunctor "functionTo" functionTo elemType;
      nestedTypes.elemType = elemType;
    };

  either =
    t1: t2:
    mkOptionType {
      name = "either";
      description = "${
        optionDescriptionPhrase (c: c == "noun" || c == "conjunction") t1
      } or ${
        optionDescriptionPhrase (c: c == "noun" || c == "conjunction" || c == "composite") t2
      }";
      descriptionClass = "conjunction";
      check = x: t1.check x || t2.check x;
      merge =
        loc: defs:
        let
          fits = t: builtins.all (def: t.check def.value) defs;
        in
        if fits t1 then
          t1.merge loc defs
        else if fits t2 then
          t2.merge loc defs
        else
          mergeOneOption loc defs;
      functor = defaultFunctor "either" // {
        type = payload: either (head payload.elemType) (last payload.elemType);
        payload.elemType = [
          t1
          t2
        ];
        binOp =
          a: b:
          let
            l = (head a.elemType).typeMerge (head b.elemType).functor;
            r = (last a.elemType).typeMerge (last b.elemType).functor;
          in
          if l == null || r == null then
            null
          else
            {
              elemType = [
                l
                r
              ];
            };
      };
      nestedTypes = {
        left = t1;
        right = t2;
      };
    };
  oneOf =
    ts:
    if ts == [ ] then
      throw "types.oneOf needs to get at least one type in its argument"
    else
      builtins.foldl' either (head ts) (builtins.tail ts);

  # A set with exactly one of these members, each an option.
  attrTag =
    tags:
    let
      choices = builtins.attrNames tags;
      of = v: head (builtins.attrNames v);
    in
    mkOptionType {
      name = "attrTag";
      description = "attribute-tagged union with choices: ${lib.concatMapStringsSep ", " lib.strings.escapeNixIdentifier choices}";
      descriptionClass = "noun";
      check = v: isAttrs v && length (builtins.attrNames v) == 1 && tags ? ${of v};
      merge =
        loc: defs:
        let
          choice = of (head defs).value;
          inner = map (
            def:
            if of def.value != choice then
              throw "The option `${showOption loc}` is defined both as `${choice}` and `${of def.value}`, in ${lib.showFiles (lib.getFiles defs)}."
            else
              {
                inherit (def) file;
                value = def.value.${choice};
              }
          ) defs;
        in
        {
          ${choice} =
            (lib.evalOptionValue (loc ++ [ choice ]) ({ declarations = [ ]; } // tags.${choice}) inner).value;
        };
      getSubOptions =
        prefix:
        mapAttrs (
          n: opt:
          {
            declarations = [ ];
          }
          // opt
          // {
            loc = prefix ++ [ n ];
          }
        ) tags;
      functor = defaultFunctor "attrTag" // {
        type = payload: attrTag payload.tags;
        payload = { inherit tags; };
        binOp =
          a: b:
          let
            both = builtins.intersectAttrs a.tags b.tags;
          in
          if both == { } then { tags = a.tags // b.tags; } else null;
      };
    };

  coercedTo =
    from: coerce: to:
    mkOptionType {
      name = "coercedTo";
      description = "${nounLike to} or ${nounLike from} convertible to it";
      check = x: (from.check x && to.check (coerce x)) || to.check x;
      merge =
        loc: defs:
        to.merge loc (
          map (def: if from.check def.value then def // { value = coerce def.value; } else def) defs
        );
      emptyValue = to.emptyValue;
      getSubOptions = to.getSubOptions;
      getSubModules = to.getSubModules;
      substSubModules = m: coercedTo from coerce (to.substSubModules m);
      functor = defaultFunctor "coercedTo" // {
        type = _: null;
        wrapped = to;
      };
      typeMerge = _: null;
      nestedTypes = {
        coercedType = from;
        finalType = to;
      };
    };

  addCheck = type: check: type // { check = x: type.check x && check x; };
}
