# The types of options: what a value must be, and how several definitions of
# it become one.
{ lib }:
let
  load = file: import file { inherit lib; };
  make = load ./make.nix;
in
{
  inherit (lib) isType setType;
  inherit (make)
    defaultFunctor
    defaultTypeMerge
    isOptionType
    mkOptionType
    optionDescriptionPhrase
    ;
}
// load ./values.nix
// load ./compound.nix
// load ./modules.nix
