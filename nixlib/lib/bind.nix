# A module with arguments, where evalModules takes none: there they are module
# arguments, which `imports` cannot use; the outermost modules get theirs by hand,
# so that they can.
specialArgs: module:
let
  inherit (builtins) isAttrs isFunction;
  isFile = !(isFunction module || isAttrs module);
  read = if isFile then import module else module;
  value =
    if isAttrs read && removeAttrs read [ "_file" "imports" ] == { } && read ? imports then
      read // { imports = map (import ./bind.nix specialArgs) read.imports; }
    else
      read;
  file = if isFile then { _file = toString module; } else { };
in
if isFunction value then
  {
    config,
    options,
    lib,
    ...
  }@args:
  file // value (args // specialArgs)
else
  file // value
