# A network of nixus is a module much like those here: this adds the settings
# of nodes that it knows, and says what they mean. Its modules of several nodes
# (vpn, ssh, dns, secrets) have counterparts of their own here.
{
  # The file with it.
  network,
  # The nixpkgs whose lib evaluates one that names none.
  nixpkgs ? null,
}:
let
  inherit (builtins)
    attrValues
    filter
    functionArgs
    head
    isFunction
    isString
    mapAttrs
    typeOf
    ;
  find = import ../lib/nixpkgs.nix;

  # Nodes say which nixpkgs they have, but that takes a lib to evaluate. So they
  # are looked at without an evaluation, as far as that goes.
  lib =
    import (if find.channel.success then find.channel.value + "/lib" else ../mini/lib)
    // {
      mkDefault = x: x;
      mkForce = x: x;
      mkOverride = _: x: x;
    };
  look =
    args: given:
    let
      value = if typeOf given == "path" || isString given then import given else given;
      unknown = arg: _: throw "${arg} takes an evaluation";
    in
    if isFunction value then value (mapAttrs unknown (functionArgs value) // { inherit lib; } // args) else value;
  top = look { } network;
  settings = top.config or top;
  ofNode =
    node:
    let
      found = builtins.tryEval ((look { name = "a node"; } node).nixpkgs or null);
    in
    if found.success then found.value else null;
  found = filter (n: n != null) (map ofNode ([ (settings.defaults or { }) ] ++ attrValues (settings.nodes or { })));

  # Options are declared once, and those of nodes are declared here.
  again = removeAttrs (top.options or { }) [ "defaults" "nodes" ] != top.options or { };
  once =
    module:
    removeAttrs module [ "options" ]
    // {
      _file = toString network;
      options = removeAttrs module.options [ "defaults" "nodes" ];
    };
  given = import network;

  module =
    { lib, config, ... }:
    let
      inherit (config._internal) compat;
      inherit (lib) mkDefault mkOption types;
      sink =
        default:
        mkOption {
          type = types.unspecified;
          inherit default;
          description = "Of nixus; without meaning here.";
        };

      node =
        { config, ... }:
        let
          parts = builtins.match "(([^@]+)@)?(.+)" config.host;
          user = builtins.elemAt parts 1;
        in
        {
          options = {
            host = mkOption {
              type = types.str;
              description = "Address of the node, with the user: deploy.host and deploy.user.";
            };
            successTimeout = mkOption {
              type = types.int;
              default = 20;
              description = "deploy.timeouts.confirm.";
            };
            switchTimeout = mkOption {
              type = types.int;
              default = 60;
              description = "deploy.timeouts.activate.";
            };
            enable = sink true;
            hasFastConnection = sink false;
            closurePaths = sink { };
            preparationPhases = sink { };
            postDeployScript = sink "";
            ignoreFailingSystemdUnits = sink false;
            deployFrom = sink { };
            privilegeEscalationCommand = sink [ "sudo" ];
          };
          config.deploy = {
            host = mkDefault (lib.last parts);
            user = mkDefault (if user == null then "root" else user);
            # There the machine that deploys builds.
            build = mkDefault "deployer";
            timeouts = {
              confirm = mkDefault config.successTimeout;
              activate = mkDefault config.switchTimeout;
            };
          };
        };
    in
    {
      options.deployHost = sink null;
      options.nodes = mkOption { type = types.attrsOf (compat.types.node { } [ node ]); };
    };
in
{
  inherit again;
  given = if found == [ ] then null else head found;
  nixpkgs = if found == [ ] then nixpkgs else head found;
  module.imports = [
    (
      if !again then
        network
      else if isFunction given then
        {
          __functor = _: args: once (given args);
          __functionArgs = functionArgs given;
        }
      else
        once given
    )
    module
  ];
}
