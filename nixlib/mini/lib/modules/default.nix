# The module system: many modules in, one configuration out. Lazy throughout:
# a value is computed when it is read, from the definitions of its own option.
#
#   collect     modules and all they import, each once, functions applied
#   tree        declarations and definitions matched by name, level by level
#   option      one option: conditions, priorities, order, type, apply
#   properties  what mkIf, mkForce, mkBefore … say, and how it is applied
#   evaluate    evalModules: all of that
#   aliases     helpers for those who write modules
{ lib }:
let
  load = file: import file { inherit lib; };
in
load ./properties.nix
// load ./option.nix
// load ./tree.nix
// load ./collect.nix
// load ./evaluate.nix
// load ./aliases.nix
