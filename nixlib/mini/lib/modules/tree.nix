# Declarations and definitions matched by name, level by level.
{ lib }:
let
  inherit (builtins)
    attrNames
    concatMap
    head
    isAttrs
    length
    mapAttrs
    zipAttrsWith
    ;
  inherit (lib)
    concatMapStringsSep
    evalOptionValue
    isOption
    mergeOptionDecls
    pushDownProperties
    showFiles
    showOption
    ;
in
rec {
  # decls: [{ _file, options }], defs: [{ file, config }]; one level.
  mergeTree =
    prefix: decls: defs:
    let
      declsByName = zipAttrsWith (_: ds: ds) (
        map (
          d:
          if isAttrs d.options then
            mapAttrs (_: options: {
              inherit (d) _file;
              inherit options;
            }) d.options
          else
            throw "In module `${d._file}', you're trying to define a value of type `${builtins.typeOf d.options}' rather than an attribute set for the option declarations `${showOption prefix}'!"
        ) decls
      );
      defsByName = zipAttrsWith (_: ds: ds) (
        concatMap (
          def:
          map (
            attrs:
            if isAttrs attrs then
              mapAttrs (_: value: {
                inherit (def) file;
                inherit value;
              }) attrs
            else
              throw "In module `${toString def.file}', you're trying to define a value of type `${builtins.typeOf attrs}'\nrather than an attribute set for the option\n`${showOption prefix}'!\n\nThis usually happens if `${showOption prefix}' has option\ndefinitions inside that are not matched. Please check how to properly define\nthis option by e.g. referring to `man 5 configuration.nix'!"
          ) (pushDownProperties def.value)
        ) defs
      );

      results = mapAttrs (
        name: ds:
        let
          loc = prefix ++ [ name ];
          own = defsByName.${name} or [ ];
          leaf =
            let
              opt = evalOptionValue loc (mergeOptionDecls loc ds) own;
            in
            {
              options = opt;
              config = opt.value;
              unmatched = [ ];
            };
          # Nearly every name is declared once.
          once = length ds == 1;
          parts = builtins.partition (d: isOption d.options) ds;
          options = parts.right;
          trees = parts.wrong;
          joins = builtins.all (d: (d.options.type.name or "") == "submodule") options;
        in
        if once && isOption (head ds).options then
          leaf
        else if once || options == [ ] then
          mergeTree loc ds own
        else if trees == [ ] || joins then
          leaf
        else
          throw "The option `${showOption loc}' in ${showFiles (map (d: d._file) options)} would be a parent of the following options, but its type `${
            (head options).options.type.description or "<no description>"
          }' does not support nested options.\n${
            concatMapStringsSep "\n" (
              d: "- option(s) with prefix `${showOption (loc ++ [ (head (attrNames d.options)) ])}' in module `${d._file}'"
            ) trees
          }"
      ) declsByName;
    in
    {
      options = mapAttrs (_: r: r.options) results;
      config = mapAttrs (_: r: r.config) results;
      # Only what somebody has defined is looked at.
      unmatched = concatMap (
        name:
        if results ? ${name} then
          results.${name}.unmatched
        else
          map (def: {
            inherit (def) file value;
            loc = prefix ++ [ name ];
          }) defsByName.${name}
      ) (attrNames defsByName);
    };
}
