# A submodule's type that merges in a way of its own:
#
#   wrap merge submodule    with merge = submodule: loc: defs: value
#
# Module systems put an option's type together anew from its modules. With more
# of them than ours somebody adds options, and it is an ordinary submodule again.
let
  inherit (builtins) length;
  wrap =
    merge: submodule:
    submodule
    // {
      merge = merge submodule;
      substSubModules =
        modules:
        let
          new = submodule.substSubModules modules;
        in
        if length modules == length submodule.getSubModules then wrap merge new else new;
    };
in
wrap
