# Which nixpkgs: by path, string, flake input or pin (anything with outPath).
let
  inherit (builtins)
    isAttrs
    isFunction
    mapAttrs
    match
    pathExists
    tryEval
    typeOf
    ;

  toPath = nixpkgs: if isAttrs nixpkgs then nixpkgs.outPath else nixpkgs;

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
    set.network.nixpkgs or set.config.network.nixpkgs or null;
in
rec {
  inherit toPath channel;

  # The first nixpkgs that stands in a module itself, else <nixpkgs>.
  plain =
    args: modules:
    let
      found = builtins.filter (n: n != null) (map (ofModule args) modules);
    in
    if found != [ ] then
      builtins.head found
    else
      fromPath;

  # Its library; a checkout of only that works too. A flake's own knows its version.
  lib =
    nixpkgs:
    let
      path = toPath nixpkgs;
    in
    if isAttrs nixpkgs && nixpkgs ? lib.evalModules then
      nixpkgs.lib
    else if !(typeOf path == "path" || match "/.*" (toString path) != null) then
      throw "network.nixpkgs = ${builtins.toJSON path}: write a path, as ./nixpkgs without quotes or \"/absolute\", a flake's input, or what fetchTarball gives"
    else if pathExists (path + "/lib") then
      import (path + "/lib")
    else
      throw "network.nixpkgs = ${toString path}: there is no folder lib in it, so this is no nixpkgs";

  same = a: b: toString (toPath a) == toString (toPath b);

  # The evaluator of NixOS systems.
  evalConfig =
    node: nixpkgs:
    let
      file = toPath nixpkgs + "/nixos/lib/eval-config.nix";
    in
    if pathExists file then
      import file
    else
      throw "node ${node}: its nixpkgs, ${toString (toPath nixpkgs)}, has no nixos/lib/eval-config.nix: set nodes.${node}.nixpkgs or network.nixpkgs to a whole nixpkgs";
}
