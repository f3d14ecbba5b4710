# Helpers for module authors: modules from files, and options that moved.
{ lib }:
let
  inherit (lib)
    defaultOverridePriority
    isOption
    mkIf
    mkMerge
    mkOverride
    optional
    optionalAttrs
    showFiles
    showOption
    ;
in
rec {
  mkAliasDefinitions = mkAliasAndWrapDefinitions lib.id;
  mkAliasAndWrapDefinitions = wrap: option: mkAliasIfDef option (wrap (mkMerge option.definitions));
  mkAliasAndWrapDefsWithPriority =
    wrap: option:
    let
      prio = option.highestPrio or defaultOverridePriority;
    in
    mkAliasIfDef option (wrap (mkMerge (map (mkOverride prio) option.definitions)));
  mkAliasIfDef = option: mkIf (isOption option && option.isDefined);
  mkDerivedConfig =
    opt: f:
    mkOverride (opt.highestPrio or defaultOverridePriority) (f opt.value);

  # --- helpers for module authors

  setDefaultModuleLocation = file: m: {
    _file = file;
    imports = [ m ];
  };

  importApply =
    file: staticArg:
    setDefaultModuleLocation file (import file staticArg);

  importJSON = file: {
    _file = file;
    config = lib.trivial.importJSON file;
  };

  mkRemovedOptionModule =
    path: replacement:
    { options, ... }:
    {
      options = lib.setAttrByPath path (
        lib.mkOption {
          visible = false;
          apply = _: throw "The option `${showOption path}' can no longer be used since it's been removed. ${replacement}";
        }
      );
      config.assertions =
        let
          opt = lib.getAttrFromPath path options;
        in
        [
          {
            assertion = !opt.isDefined;
            message = "The option definition `${showOption path}' in ${showFiles opt.files} no longer has any effect; please remove it.\n${replacement}\n";
          }
        ];
    };

  mkRenamedOptionModule =
    from: to:
    doRename {
      inherit from to;
      visible = false;
      warn = true;
      use = lib.warn "Obsolete option `${showOption from}' is used. It was renamed to `${showOption to}'.";
    };
  mkAliasOptionModule =
    from: to:
    doRename {
      inherit from to;
      visible = true;
      warn = false;
      use = lib.id;
    };
  mkChangedOptionModule =
    from: to: changeFn:
    mkMergedOptionModule [ from ] to changeFn;

  mkMergedOptionModule =
    from: to: mergeFn:
    { config, options, ... }:
    {
      options = builtins.foldl' lib.recursiveUpdate { } (
        map (
          path:
          lib.setAttrByPath path (
            lib.mkOption {
              visible = false;
              # Read only by mergeFn, which knows it from a value.
              default = "_mkMergedOptionModule";
            }
          )
        ) from
      );
      config =
        {
          warnings = builtins.filter (x: x != "") (
            map (
              f:
              let
                opt = lib.getAttrFromPath f options;
              in
              if lib.getAttrFromPath f config != "_mkMergedOptionModule" then
                "The option `${showOption f}' defined in ${showFiles opt.files} has been changed to `${showOption to}' that has a different type. Please read `${showOption to}' documentation and update your configuration accordingly."
              else
                ""
            ) from
          );
        }
        // lib.setAttrByPath to (
          mkMerge (
            optional (builtins.any (f: lib.getAttrFromPath f config != "_mkMergedOptionModule") from) (mergeFn config)
          )
        );
    };

  doRename =
    {
      from,
      to,
      visible,
      warn,
      use,
      withPriority ? true,
      condition ? true,
    }:
    { config, options, ... }:
    let
      fromOpt = lib.getAttrFromPath from options;
      toOf = lib.attrByPath to (abort "Renaming error: option `${showOption to}' does not exist.");
      toType = (lib.attrByPath to { } options).type or (lib.types.submodule { });
    in
    {
      options = lib.setAttrByPath from (
        lib.mkOption {
          inherit visible;
          description = "Alias of {option}`${showOption to}`.";
          apply = _: use (toOf config);
        }
        // optionalAttrs (toType != null) { type = toType; }
      );
      config = mkIf condition (mkMerge [
        (optionalAttrs (options ? warnings) {
          warnings = optional (warn && fromOpt.isDefined) "The option `${showOption from}' defined in ${showFiles fromOpt.files} has been renamed to `${showOption to}'.";
        })
        (
          if withPriority then
            mkAliasAndWrapDefsWithPriority (lib.setAttrByPath to) fromOpt
          else
            mkAliasAndWrapDefinitions (lib.setAttrByPath to) fromOpt
        )
      ]);
    };
}
