# Making types, and how two declarations of one option agree on theirs.
{ lib }:
let
  inherit (lib) isType;
in
rec {
  # `a or b`: parentheses round what would be misread.
  optionDescriptionPhrase =
    unparenthesize: type:
    if unparenthesize (type.descriptionClass or null) then type.description else "(${type.description})";
  nounLike = optionDescriptionPhrase (c: c == "noun" || c == "composite");

  defaultFunctor = name: {
    inherit name;
    type = lib.types.${name} or null;
    wrapped = null;
    payload = null;
    binOp = _: null;
  };

  # Two declarations of one option agree if their types do. A type without
  # payload equals any of its name; otherwise the payloads must join.
  defaultTypeMerge =
    f: f':
    if f.name != f'.name then
      null
    else if f.payload == null && f'.payload == null then
      if f.wrapped == null then
        f.type
      else
        let
          inner = f.wrapped.typeMerge f'.wrapped.functor;
        in
        if inner == null then null else f.type inner
    else if f.payload == null || f'.payload == null then
      null
    else
      let
        payload = f.binOp f.payload f'.payload;
      in
      if payload == null then null else f.type payload;

  isOptionType = isType "option-type";

  mkOptionType =
    {
      name,
      description ? null,
      descriptionClass ? null,
      deprecationMessage ? null,
      check ? (_: true),
      merge ? lib.mergeDefaultOption,
      emptyValue ? { },
      getSubOptions ? (_: { }),
      getSubModules ? null,
      substSubModules ? (_: null),
      typeMerge ? defaultTypeMerge functor,
      functor ? defaultFunctor name,
      nestedTypes ? { },
    }:
    {
      _type = "option-type";
      description = if description == null then name else description;
      inherit
        name
        descriptionClass
        deprecationMessage
        check
        merge
        emptyValue
        getSubOptions
        getSubModules
        substSubModules
        typeMerge
        functor
        nestedTypes
        ;
    };

  # A type around one other.
  elemTypeFunctor =
    name: type: elemType:
    defaultFunctor name
    // {
      type = payload: type payload.elemType;
      payload = { inherit elemType; };
      binOp =
        a: b:
        let
          merged = a.elemType.typeMerge b.elemType.functor;
        in
        if merged == null then null else { elemType = merged; };
    };

  # An absolute path, as a path, string or package.
  isPathLike = x: lib.isStringLike x && lib.substring 0 1 (toString x) == "/";
}
