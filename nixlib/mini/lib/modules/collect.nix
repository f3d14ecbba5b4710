# Modules and all they import, each once, as data of one form.
{ lib }:
let
  inherit (builtins)
    addErrorContext
    attrNames
    concatMap
    elem
    head
    isAttrs
    isList
    mapAttrs
    ;
  inherit (lib) isFunction mkMerge optional showDefs unknownModule;
in
rec {
  moduleKeys = [
    "_class"
    "_file"
    "key"
    "disabledModules"
    "imports"
    "options"
    "config"
    "meta"
    "freeformType"
  ];

  # The one form that all ways to write a module come to.
  unifyModuleSyntax =
    file: key: m:
    let
      extra = removeAttrs m moduleKeys;
      freeform = optional (m ? freeformType) { _module.freeformType = m.freeformType; };
      meta = optional (m ? meta) { inherit (m) meta; };
      addTo = more: config: if more == [ ] then config else mkMerge ([ config ] ++ more);
    in
    if !isAttrs m then
      throw "module ${file} (${key}) does not look like a module."
    else if m ? config || m ? options then
      if extra != { } then
        throw "Module `${key}' has an unsupported attribute `${head (attrNames extra)}'. This is caused by introducing a top-level `config' or `options' attribute. Add configuration attributes immediately on the top level instead, or move all of them (namely: ${toString (attrNames extra)}) into the explicit `config' attribute."
      else
        {
          _file = toString m._file or file;
          _class = m._class or null;
          key = toString m.key or key;
          disabledModules = m.disabledModules or [ ];
          imports = m.imports or [ ];
          options = m.options or { };
          config = addTo (freeform ++ meta) (m.config or { });
        }
    else
      {
        _file = toString m._file or file;
        _class = m._class or null;
        key = toString m.key or key;
        disabledModules = m.disabledModules or [ ];
        imports = m.require or [ ] ++ m.imports or [ ];
        options = { };
        config = addTo freeform (
          removeAttrs m [
            "_class"
            "_file"
            "key"
            "disabledModules"
            "require"
            "imports"
            "freeformType"
          ]
        );
      };

  # The arguments that a module function names come from _module.args, so that
  # modules can set them; the caller's special ones win and need no evaluation.
  applyModuleArgs =
    key: f: args:
    if !isFunction f then
      f
    else
      let
        asked = mapAttrs (
          name: _:
          addErrorContext "while evaluating the module argument `${name}' in \"${key}\":" (
            args.${name} or args.config._module.args.${name}
          )
        ) (lib.functionArgs f);
      in
      f (asked // args);
  applyModuleArgsIfFunction = applyModuleArgs;

  collectModules =
    class: modulesPath: modules: args:
    let
      load =
        parentFile: parentKey: n: m:
        if isFunction m || isAttrs m then
          let
            key = "${parentKey}:anon-${toString n}";
            type = m._type or "module";
          in
          if isFunction m || type == "module" then
            checkClass (unifyModuleSyntax parentFile key (applyModuleArgs key m args))
          else if type == "if" || type == "override" then
            checkClass (unifyModuleSyntax parentFile key { config = m; })
          else
            throw "Could not load a value as a module, because it is of type ${lib.strings.escapeNixString type}, in file ${parentFile}."
        else if isList m then
          throw "Module imports can't be nested lists. Perhaps you meant to remove one level of lists? Definitions: ${
            showDefs [
              {
                file = parentFile;
                value = m;
              }
            ]
          }"
        else if !(lib.isStringLike m) then
          throw "Expected a module, but found a value of type ${builtins.typeOf m} in ${parentFile}."
        else
          let
            file = toString m;
            value = import m;
          in
          checkClass (unifyModuleSyntax file file (applyModuleArgs file value args));

      checkClass =
        m:
        if class != null && m._class != null && m._class != class then
          throw "The module `${m._file}' (class: \"${m._class}\") cannot be imported into a module evaluation that expects class \"${class}\"."
        else
          m;

      nodes =
        parentFile: parentKey: ms:
        lib.imap1 (
          n: m:
          let
            module = load parentFile parentKey n m;
          in
          {
            inherit (module) key;
            inherit module;
            children = nodes module._file module.key module.imports;
          }
        ) ms;

      keyOf =
        d:
        if builtins.isString d then
          if lib.hasPrefix "/" d then d else "${toString modulesPath}/${d}"
        else if isAttrs d then
          toString (d.key or (throw "Can't disable a module without a key: ${lib.generators.toPretty { } d}"))
        else
          toString d;

      # Depth first, each key once; a module that is disabled anywhere goes,
      # together with what only it imports.
      roots = nodes unknownModule "" modules;
      closure =
        disabled:
        builtins.genericClosure {
          startSet = builtins.filter (n: !elem n.key disabled) roots;
          operator = n: builtins.filter (c: !elem c.key disabled) n.children;
        };
      everything = closure [ ];
      disabled = concatMap (n: map keyOf n.module.disabledModules) everything;
      kept = if disabled == [ ] then everything else closure disabled;
    in
    map (n: n.module) kept;
}
