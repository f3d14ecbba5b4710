# A network of morph.
{
  mkNetwork,
  path,
  file,
  lost,
  only,
  nixpkgs,
  nixpkgsText,
  ...
}:
let
  # Names of checks, from what describes them.
  named =
    prefix: checks:
    builtins.listToAttrs (
      builtins.genList (n: {
        name = "${prefix}${toString (n + 1)}";
        value = builtins.elemAt checks n;
      }) (builtins.length checks)
    );
  http =
    name: check:
    {
      url = "${check.scheme or "http"}://${if check.host or null == null then name else check.host}:${toString check.port}${check.path or "/"}";
      from = "deployer";
      interval = check.period or 2;
      timeout = check.timeout or 5;
    }
    // (if check.insecureSSL or false then { insecure = true; } else { });
in
import ./read-hive.nix {
  inherit mkNetwork path file nixpkgs nixpkgsText;
  name = meta: meta.name or "network";

  lost =
    meta:
    lost "network." [
      { name = "ordering"; set = meta ? ordering; instead = "write nodes.<name>.profile.order for those that go first" ; }
      { name = "buildShell"; set = meta.buildShell or null != null; instead = "run git push in that shell"; }
      { name = "nixConfig"; set = meta.nixConfig or { } != { }; instead = "write it to Nix's own configuration where it builds"; }
      { name = "specialArgs"; set = meta.specialArgs or { } != { }; instead = "they are arguments of modules now, which `imports` cannot depend on"; }
    ];

  ofNode =
    name: d:
    let
      host = if d.targetHost == "" then name else d.targetHost;
      health = d.healthChecks or { };
    in
    {
      settings = only {
        deploy = only {
          inherit host;
          port = d.targetPort or null;
          user = let user = d.targetUser or ""; in if user == "" || user == "root" then null else user;
          tags = d.tags or [ ];
          build = "deployer";
        };
        health = only { http = builtins.mapAttrs (_: http host) (named "http" (health.http or [ ])); };
      };
      lost = lost "${name}: deployment." [
        { name = "secrets"; set = d.secrets or { } != { }; instead = "not sent: ${toString (builtins.attrNames (d.secrets or { }))}"; }
        { name = "healthChecks.cmd"; set = health.cmd or [ ] != [ ]; instead = "morph runs them where it deploys; what can run on the node is health.command"; }
        { name = "healthChecks.http"; set = builtins.any (c: c.headers or { } != { }) (health.http or [ ]); instead = "headers are not sent"; }
        { name = "preDeployChecks"; set = (d.preDeployChecks.cmd or [ ]) ++ (d.preDeployChecks.http or [ ]) != [ ]; instead = "what can run on the node is health.preSwitch"; }
        { name = "buildOnly"; set = d.buildOnly or false; instead = "use git push -o action=build" ; }
        { name = "substituteOnDestination"; set = d.substituteOnDestination or false; instead = "with deploy.build = \"node\" the node substitutes for itself"; }
      ];
    };
}
