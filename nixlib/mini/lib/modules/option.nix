# One option: its declarations become one, and its definitions a value.
{ lib }:
let
  inherit (builtins) addErrorContext concatMap head length;
  inherit (lib)
    dischargeProperties
    filterOverrides'
    isOption
    mkOptionDefault
    optional
    optionalAttrs
    showDefs
    showFiles
    showOption
    sortProperties
    ;
in
rec {
  # What an option's definitions come to. `isDefined` and `mergedValue` are
  # apart so that members of a set can be left out.
  mergeDefinitions =
    loc: type: defs:
    let
      # Definitions whose conditions hold, each apart; most are just values.
      held = concatMap (
        def:
        let
          type = addErrorContext "while evaluating definitions from `${toString def.file}':" (def.value._type or "");
        in
        if type == "if" || type == "merge" then
          map (value: {
            inherit (def) file;
            inherit value;
          }) (dischargeProperties def.value)
        else if type == "definition" then
          map (value: {
            inherit (def.value) file;
            inherit value;
          }) (dischargeProperties def.value.value)
        else
          [ def ]
      ) defs;
      strongest = filterOverrides' held;
    in
    mergeFinal loc type {
      values = sortProperties strongest.values;
      inherit (strongest) highestPrio;
    };

  # The same, once priorities and order are settled.
  mergeFinal = loc: type: final: rec {
      defsFinal = final.values;
      defsFinal' = final;
      isDefined = defsFinal != [ ];
      mergedValue =
        if !isDefined then
          throw "The option `${showOption loc}' was accessed but has no value defined. Try setting the option."
        else if builtins.all (def: type.check def.value) defsFinal then
          type.merge loc defsFinal
        else
          let
            wrong = builtins.filter (def: !type.check def.value) defsFinal;
          in
          throw "A definition for option `${showOption loc}' is not of type `${type.description}'. Definition values:${showDefs wrong}";
      optionalValue = if isDefined then { value = mergedValue; } else { };
  };

  evalOptionValue =
    loc: opt: defs:
    let
      default = value: {
        file = head opt.declarations;
        inherit value;
      };
      withDefault = if opt ? default then [ (default (mkOptionDefault opt.default)) ] ++ defs else defs;
      res =
        # Most options are as they are by default.
        if defs == [ ] && opt ? default then
          mergeFinal loc opt.type {
            values = sortProperties [ (default opt.default) ];
            highestPrio = lib.optionDefaultPriority;
          }
        else if opt.readOnly or false && length withDefault > 1 then
          let
            each = map (def: def // { value = (mergeDefinitions loc opt.type [ def ]).mergedValue; }) withDefault;
          in
          throw "The option `${showOption loc}' is read-only, but it's set multiple times. Definition values:${showDefs each}"
        else
          mergeDefinitions loc opt.type withDefault;
      value = if opt ? apply then opt.apply res.mergedValue else res.mergedValue;
      warnDeprecation =
        if opt.type.deprecationMessage or null == null then
          lib.id
        else
          lib.warn "The type `types.${opt.type.name}' of option `${showOption loc}' defined in ${showFiles opt.declarations} is deprecated. ${opt.type.deprecationMessage}";
    in
    warnDeprecation opt
    // {
      value = addErrorContext "while evaluating the option `${showOption loc}':" value;
      inherit (res.defsFinal') highestPrio;
      definitions = map (def: def.value) res.defsFinal;
      files = map (def: def.file) res.defsFinal;
      definitionsWithLocations = res.defsFinal;
      inherit (res) isDefined;
      inherit loc;
      __toString = _: showOption loc;
    };

  # Several declarations of one option become one, where they agree.
  mergeOptionDecls =
    loc: decls:
    if length decls == 1 then onlyOptionDecl loc (head decls) else severalOptionDecls loc decls;

  onlyOptionDecl =
    loc: decl:
    decl.options
    // {
      inherit loc;
      declarations = [ decl._file ];
      declarationPositions = positionOf decl.options;
      type = decl.options.type or lib.types.unspecified;
    };

  positionOf =
    opt:
    let
      pos = builtins.unsafeGetAttrPos "_type" opt;
    in
    optional (pos != null) pos;

  severalOptionDecls =
    loc: decls:
    let
      unique = [
        "default"
        "example"
        "description"
        "apply"
        "defaultText"
      ];
      step =
        acc: decl:
        let
          opt = decl.options;
          twice = builtins.filter (a: acc ? ${a} && opt ? ${a}) unique;
          merged = acc.type.typeMerge opt.type.functor;
          tree = !isOption opt;
        in
        if tree then
          # Options declared below an option join it if it holds a submodule.
          step acc {
            inherit (decl) _file;
            options = mkSubmoduleDecl decl;
          }
        else if twice != [ ] || (acc ? type && opt ? type && merged == null) then
          throw "The option `${showOption loc}' in `${decl._file}' is already declared in ${showFiles acc.declarations}."
        else
          acc
          // opt
          // {
            declarations = acc.declarations ++ [ decl._file ];
            declarationPositions = acc.declarationPositions ++ positionOf opt;
          }
          // optionalAttrs (acc ? type && opt ? type) { type = merged; };
      mkSubmoduleDecl =
        decl:
        lib.mkOption {
          type = lib.types.submoduleWith {
            modules = [ { inherit (decl) _file options; } ];
            shorthandOnlyDefinesConfig = null;
          };
        };
      # The plain options first, so that there is a type to join.
      sorted = builtins.partition (d: isOption d.options) decls;
      whole = builtins.foldl' step {
        inherit loc;
        declarations = [ ];
        declarationPositions = [ ];
        options = [ ];
      } (sorted.right ++ sorted.wrong);
    in
    removeAttrs whole [ "options" ] // { type = whole.type or lib.types.unspecified; };
}
