# The library of mini: the part of nixpkgs' `lib` that a module system, its
# users and a tiny system need, under the same names and with the same meaning.
# ../../tests/conformance.nix compares it with a real one.
let
  load = file: import file { inherit lib; };

  trivial = load ./trivial.nix;
  lists = load ./lists.nix;
  attrsets = load ./attrsets.nix;
  strings = load ./strings.nix;
  options = load ./options.nix;
  modules = load ./modules;
  types = load ./types;

  # What these parts hold is also found directly in `lib`.
  lib =
    trivial
    // lists
    // attrsets
    // strings
    // options
    // modules
    // {
      inherit
        trivial
        lists
        attrsets
        strings
        options
        modules
        ;
      generators = load ./generators.nix;
      inherit types;
      inherit (types) isOptionType mkOptionType;
      systems = load ./systems.nix;
    };
in
lib
