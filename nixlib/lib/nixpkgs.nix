# Which nixpkgs: by path, string, flake input or pin (anything with outPath).
let
  inherit (builtins)
    isAttrs
    isFunction
    isString
    mapAttrs
    match
    pathExists
    tryEval
    typeOf
    ;

  toPath =
    nixpkgs:
    if nixpkgs ? outPath then
      nixpkgs.outPath
    else if isAttrs nixpkgs && nixpkgs ? path && nixpkgs ? lib || isFunction nixpkgs then
      throw "a nixpkgs is wanted, and this is what `import' makes of one: leave `import' and its arguments out, and write overlays, config and the platform to the configuration's nixpkgs.*"
    else if isAttrs nixpkgs then
      throw "a nixpkgs is wanted, and this is a set of: ${builtins.concatStringsSep ", " (builtins.attrNames nixpkgs)}. Choose one, as in (import ./npins).nixpkgs"
    else
      nixpkgs;
  # A path that Nix can read, or why it is none.
  readable =
    who: nixpkgs:
    let
      path = toPath nixpkgs;
    in
    if typeOf path == "path" || isString path && match "/.*" path != null then
      path
    else
      throw "${who} is ${builtins.toJSON path}, and must be a path: ./nixpkgs without quotes, \"/absolute\" (also what a pin of type `local' names), a flake's input, or what fetchTarball gives";

  # Pure evaluation has no search path, and asking for it cannot be caught.
  channel = if builtins ? currentSystem then tryEval <nixpkgs> else { success = false; };

  fromPath =
    if channel.success then
      channel.value
    else
      throw "which nixpkgs? Neither does the network say network.nixpkgs at the top of its first module, nor is <nixpkgs> in NIX_PATH: write `network.nixpkgs = PATH;` in network.nix";

  # What a module sets without evaluating the network, or null. It gets no
  # arguments that only an evaluation has.
  ofModule =
    args: module:
    let
      read = if isAttrs module || isFunction module then module else import module;
      value =
        if isAttrs read || isFunction read then
          read
        else
          throw "${toString module} holds a ${typeOf read}, and must hold a module of the network: { network.name = \"home\"; nodes.web.deploy.host = \"...\"; }";
      unknown = mapAttrs (
        arg: _:
        throw "which nixpkgs? The network's first module needs its argument `${arg}' to say it: write `network.nixpkgs = PATH;` there so that it depends on `nixlib' and your own files alone"
      ) (builtins.functionArgs value);
      set =
        if isFunction value then
          value (unknown // { lib = import (fromPath + "/lib"); } // args)
        else
          value;
    in
    # A module that only imports stands for those.
    if isAttrs read && removeAttrs read [ "_file" "imports" ] == { } then
      first args read.imports or [ ]
    else
      set.network.nixpkgs or set.config.network.nixpkgs or null;

  first =
    args: modules:
    let
      found = ofModule args (builtins.head modules);
    in
    if modules == [ ] then
      null
    else if found != null then
      found
    else
      first args (builtins.tail modules);
in
rec {
  inherit toPath channel;

  # The first nixpkgs that stands in a module itself, else <nixpkgs>.
  plain =
    args: modules:
    let
      found = first args modules;
    in
    if found != null then found else fromPath;

  # Its library; a checkout of only that works too. A flake's own knows its version.
  lib =
    nixpkgs:
    let
      path = readable "network.nixpkgs" nixpkgs;
    in
    if isAttrs nixpkgs && nixpkgs ? outPath && nixpkgs ? lib.evalModules then
      nixpkgs.lib
    else if pathExists (path + "/lib") then
      import (path + "/lib")
    else
      throw "network.nixpkgs = ${toString path}: there is no folder lib in it, so this is no nixpkgs${
        if pathExists (path + "/sources.json") || pathExists (path + "/sources.nix") then
          ", but pins: write (import PATH).nixpkgs, where nixpkgs is the name of one"
        else
          ""
      }";

  same = a: b: toString (toPath a) == toString (toPath b);

  # The evaluator of NixOS systems.
  evalConfig =
    node: nixpkgs:
    let
      path = readable "node ${node}: its nixpkgs" nixpkgs;
      file = path + "/nixos/lib/eval-config.nix";
    in
    if pathExists file then
      import file
    else
      throw "node ${node}: its nixpkgs, ${toString path}, has no nixos/lib/eval-config.nix: set nodes.${node}.nixpkgs or network.nixpkgs to a whole nixpkgs";
}
