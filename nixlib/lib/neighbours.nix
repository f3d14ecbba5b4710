# Names of the nodes that may have the address of the node `name`, and itself. Nobody's
# settings are evaluated for that: a host in plain sight tells, and a node's name.
nodes: definitions: name:
let
  inherit (builtins)
    any
    attrNames
    filter
    isAttrs
    isString
    typeOf
    ;
  inherit (nodes.${name}.deploy) host;

  # A module, or a file with one, that says so, be it with a priority.
  says =
    m:
    if isAttrs m then
      m.deploy.host or null == host
      || m.deploy.host.content or null == host
      || m ? imports && any says m.imports
    else
      (typeOf m == "path" || isString m) && says (import m);
in
filter (n: n == name || n == host || any (d: d ? ${n} && says d.${n}) definitions) (attrNames nodes)
