# The health checks of one group of options as a list, as package bundle reads
# them (Check). The options say what a check may have; what only makes sense
# together is judged here, where the node's name is known.
{
  lib,
  # Of the node.
  name,
  host,
}:
# Where the checks stand, and what stands there: in the node, and in its configuration.
option: groups:
let
  inherit (builtins) match;
  inherit (lib) concatMap filter mapAttrsToList;

  wrong = kind: check: text: throw "node ${name}: ${option}.${kind}.${check} ${text}";
  set = lib.filterAttrs (_: v: v != null && v != "" && v != false);

  # What a check of a kind has besides what all have.
  kinds = {
    http =
      n: check:
      if match "https?://.*" check.url == null then
        wrong "http" n "has the url \"${check.url}\": write one that begins with http:// or https://"
      else if check.insecure && check.ca != null then
        wrong "http" n "sets both ca and insecure: with insecure any certificate is accepted; leave one of them out"
      else
        set {
          inherit (check)
            url
            status
            body
            ca
            insecure
            ;
        };
    tcp = _: check: {
      inherit (check) port;
      host =
        if check.host != null then
          check.host
        else if check.from or "node" == "deployer" then
          host
        else
          "localhost";
    };
    command = _: check: { inherit (check) command; };
    file =
      n: check:
      if check.absent && (check.body != "" || check.maxAge != null) then
        wrong "file" n "sets absent together with body or maxAge: what does not exist has neither; leave them out, or absent"
      else
        set {
          inherit (check)
            path
            absent
            body
            maxAge
            ;
        };
    units =
      n: check:
      if check.units == [ ] then
        wrong "units" n "names no units: write ${option}.units.${n}.units = [ \"nginx.service\" ];"
      else
        { inherit (check) units; };
  };

  ofGroup =
    group:
    concatMap (
      type:
      mapAttrsToList (
        name: check:
        {
          inherit name type;
          inherit (check)
            timeout
            interval
            retries
            initialDelay
            ;
        }
        // set { from = check.from or null; }
        // kinds.${type} name check
      ) group.${type}
    ) (builtins.attrNames kinds);

  all = concatMap ofGroup groups;
  twice = filter (n: lib.length (filter (c: c.name == n) all) > 1) (map (c: c.name) all);
in
if twice != [ ] then
  throw "node ${name}: two health checks are called ${lib.head twice}: rename one (they stand in nodes.${name}.${option}.{http,tcp,command,file,units} and in git-deploy.${option} of its configuration)"
else
  all
