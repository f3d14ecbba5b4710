# Types of values that are modules, evaluated or not.
{ lib }:
let
  inherit (builtins) isAttrs;
  inherit (lib) isFunction last showOption toList;
  make = import ./make.nix { inherit lib; };
  inherit (make) defaultFunctor isPathLike mkOptionType nounLike;
in
rec {
  deferredModule = deferredModuleWith { };
  deferredModuleWith =
    {
      staticModules ? [ ],
    }:
    mkOptionType {
      name = "deferredModule";
      description = "module";
      descriptionClass = "noun";
      check = x: isAttrs x || isFunction x || isPathLike x;
      merge = loc: defs: {
        imports =
          staticModules
          ++ map (
            def: lib.setDefaultModuleLocation "${def.file}, via option ${showOption loc}" def.value
          ) defs;
      };
      inherit (submoduleWith { modules = staticModules; }) getSubOptions getSubModules;
      substSubModules = m: deferredModuleWith { staticModules = m; };
      functor = defaultFunctor "deferredModuleWith" // {
        type = deferredModuleWith;
        payload = { inherit staticModules; };
        binOp = a: b: { staticModules = a.staticModules ++ b.staticModules; };
      };
    };

  submodule =
    modules:
    submoduleWith {
      shorthandOnlyDefinesConfig = true;
      modules = toList modules;
    };

  submoduleWith =
    {
      modules,
      specialArgs ? { },
      shorthandOnlyDefinesConfig ? false,
      description ? null,
      class ? null,
    }@attrs:
    let
      asModules = map (
        { value, file }:
        if isAttrs value && shorthandOnlyDefinesConfig == true then
          {
            _file = file;
            config = value;
          }
        else
          lib.setDefaultModuleLocation file value
      );
      base = lib.evalModules {
        inherit class specialArgs;
        modules = [ { _module.args.name = lib.mkOptionDefault "‹name›"; } ] ++ modules;
      };
      freeformType = base._module.freeformType;
    in
    mkOptionType {
      name = "submodule";
      description =
        if description != null then
          description
        else if freeformType != null then
          "open submodule of ${nounLike freeformType}"
        else
          "submodule";
      check = x: isAttrs x || isFunction x || isPathLike x;
      merge =
        loc: defs:
        (base.extendModules {
          modules = [ { _module.args.name = last loc; } ] ++ asModules (map (d: { inherit (d) file value; }) defs);
          prefix = loc;
        }).config;
      emptyValue.value = { };
      getSubOptions =
        prefix:
        let
          docs = (base.extendModules { inherit prefix; }).options;
          docs' = removeAttrs docs [ "_module" ];
        in
        docs'
        // lib.optionalAttrs (freeformType != null) {
          # A freeform's own members stand beside the declared ones.
          _freeformOptions = freeformType.getSubOptions prefix;
        };
      getSubModules = modules;
      substSubModules = m: submoduleWith (attrs // { modules = m; });
      nestedTypes = lib.optionalAttrs (freeformType != null) { inherit freeformType; };
      functor = defaultFunctor "submoduleWith" // {
        name = "submodule";
        type = submoduleWith;
        payload = {
          inherit
            modules
            specialArgs
            shorthandOnlyDefinesConfig
            description
            class
            ;
        };
        binOp =
          a: b:
          let
            one =
              what: x: y:
              if x == null then
                y
              else if y == null || x == y then
                x
              else
                throw "A submoduleWith option is declared multiple times with conflicting ${what}";
            shared = builtins.attrNames (builtins.intersectAttrs a.specialArgs b.specialArgs);
          in
          {
            modules = a.modules ++ b.modules;
            specialArgs =
              if shared == [ ] then
                a.specialArgs // b.specialArgs
              else
                throw "A submoduleWith option is declared multiple times with the same specialArgs \"${toString shared}\"";
            shorthandOnlyDefinesConfig = one "shorthandOnlyDefinesConfig values" a.shorthandOnlyDefinesConfig b.shorthandOnlyDefinesConfig;
            description = one "descriptions" a.description b.description;
            class = one "class values" a.class b.class;
          };
      };
    };
}
