# evalModules: the whole.
{ lib }:
let
  inherit (builtins) attrNames head isAttrs length;
  inherit (lib)
    collectModules
    concatMapStringsSep
    isOption
    mergeTree
    optional
    showDefs
    showOption
    ;
in
rec {
  internalModule = {
    _file = "lib/modules.nix";
    key = "lib/modules.nix";
    options._module = {
      args = lib.mkOption {
        type = lib.types.lazyAttrsOf lib.types.raw;
        default = { };
        description = "Additional arguments passed to each module.";
      };
      check = lib.mkOption {
        type = lib.types.bool;
        internal = true;
        default = true;
        description = "Whether to check whether all option definitions have matching declarations.";
      };
      freeformType = lib.mkOption {
        type = lib.types.nullOr lib.types.optionType;
        internal = true;
        default = null;
        description = "If set, merge all definitions that don't have an associated option together using this type.";
      };
      specialArgs = lib.mkOption {
        readOnly = true;
        internal = true;
        type = lib.types.raw;
        description = "Externally provided module arguments that can't be modified from within a configuration.";
      };
    };
    };

  evalModules =
    evalArgs@{
      modules,
      prefix ? [ ],
      specialArgs ? { },
      class ? null,
      args ? { },
      check ? true,
    }:
    let
      result = {
        _type = "configuration";
        inherit options extendModules class;
        config = if unmatchedIsError then throw unmatchedError else removeAttrs config [ "_module" ];
        _module = config._module;
        type = lib.types.submoduleWith {
          inherit modules specialArgs class;
        };
      };

      # What every module function may ask for without any evaluation.
      callArgs = specialArgs // {
        inherit
          config
          options
          specialArgs
          extendModules
          ;
        lib = specialArgs.lib or lib;
        _class = class;
        _prefix = prefix;
        moduleType = result.type;
      };

      legacy =
        optional (args != { }) { _module.args = args; }
        ++ optional (!check) { _module.check = lib.mkDefault false; };
      collected = collectModules class (specialArgs.modulesPath or "") (
        modules
        ++ legacy
        ++ [
          (internalModule // { config._module.specialArgs = specialArgs; })
        ]
      ) callArgs;

      # Later modules were always listed first by nixpkgs: definitions of one
      # option merge in reverse order of import there, and so they do here.
      ordered = lib.reverseList collected;
      tree = mergeTree prefix (map (m: { inherit (m) _file options; }) ordered) (
        map (m: {
          file = m._file;
          value = m.config;
        }) ordered
      );
      options = tree.options;
      declared = tree.config;
      freeformType = declared._module.freeformType;

      strip = def: lib.drop (length prefix) def.loc;
      freeform =
        if tree.unmatched == [ ] then
          { }
        else
          freeformType.merge prefix (
            map (def: {
              inherit (def) file;
              value = lib.setAttrByPath (strip def) def.value;
            }) tree.unmatched
          );
      config = if freeformType == null then declared else lib.recursiveUpdate freeform declared;

      unmatchedIsError = tree.unmatched != [ ] && declared._module.check && freeformType == null;
      unmatchedError =
        let
          def = head tree.unmatched;
          parent = lib.init (strip def);
          siblings = lib.attrByPath parent { } options;
          known = builtins.filter (n: n != "_module") (attrNames siblings);
          name = lib.last def.loc;
          near = builtins.filter (n: lib.strings.levenshtein n name <= 2) known;
          misplaced = isOption def.value || lib.collect isOption (if isAttrs def.value then def.value else { }) != [ ];
        in
        "The option `${showOption def.loc}' does not exist. Definition values:${
          showDefs [ { inherit (def) file value; } ]
        }"
        + (
          if misplaced then
            "\n\nIt seems as if you're trying to declare an option by placing it into `config' rather than `options'!"
          else if near != [ ] then
            "\n\nDid you mean ${concatMapStringsSep " or " (n: "`${showOption (lib.init def.loc ++ [ n ])}'") near}?"
          else if known == [ ] then
            "\n\nHowever there are no options defined in `${showOption (lib.init def.loc)}'. Are you sure you've\ndeclared your options properly? This can happen if you e.g. declared your options in `types.submodule'\nunder `config' rather than `options'."
          else
            ""
        );

      extendModules =
        {
          modules ? [ ],
          specialArgs ? { },
          prefix ? evalArgs.prefix or [ ],
        }:
        evalModules (
          evalArgs
          // {
            inherit prefix;
            modules = evalArgs.modules ++ modules;
            specialArgs = (evalArgs.specialArgs or { }) // specialArgs;
          }
        );
    in
    result;

  fixMergeModules =
    modules: args:
    evalModules {
      inherit modules;
      specialArgs = args;
    };
}
