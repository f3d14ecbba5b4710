# A network of morph.
{
  lost,
  only,
  ...
}@args:
let
  inherit (builtins)
    any
    attrNames
    concatMap
    concatStringsSep
    elemAt
    filter
    genList
    hasContext
    head
    length
    listToAttrs
    ;

  # Checks by what describes them; of several that say the same, by number too.
  named =
    check: checks:
    listToAttrs (
      genList (
        n:
        let
          c = elemAt checks n;
          before = filter (o: o.description == c.description) (genList (elemAt checks) n);
        in
        {
          name = if before == [ ] then c.description else "${c.description} ${toString (length before + 1)}";
          value = check c;
        }
      ) (length checks)
    );
  patience = check: only {
    interval = check.period or 2;
    timeout = let timeout = check.timeout or 5; in if timeout > 0 then timeout else null;
  };
  http =
    host: check:
    patience check
    // {
      url = "${check.scheme or "http"}://${if check.host or null == null then host else check.host}:${toString check.port}${check.path or "/"}";
      from = "deployer";
    }
    // (if check.insecureSSL or false then { insecure = true; } else { });
  # morph gives the words to ssh, and so to a shell of the node.
  command = check: patience check // { command = [ "/bin/sh" "-c" (concatStringsSep " " check.cmd) ]; };
  # A package that a check needs is not in a file of plain data.
  isPlain = check: !(any hasContext check.cmd);
  commands = checks: filter (c: c.cmd or null != null) (checks.cmd or [ ]);
  plain = checks: named command (filter isPlain (commands checks));
  described = checks: concatStringsSep ", " (map (c: c.description) checks);

  # Hosts go in the order of the first tag that they have.
  order =
    meta: tags:
    let
      wanted = meta.ordering.tags or [ ];
      found = filter (n: builtins.elem (elemAt wanted n) tags) (genList (n: n) (length wanted));
    in
    if wanted == [ ] then null else if found == [ ] then length wanted else head found;
in
import ./read-hive.nix (
  removeAttrs args [ "only" "path" "toFlake" ]
  // {
    metaName = "network";
    metaKnown = [ "ordering" "buildShell" "nixConfig" "evalConfig" "runCommand" ];
    known = [
      "targetHost"
      "targetPort"
      "targetUser"
      "buildOnly"
      "substituteOnDestination"
      "secrets"
      "healthChecks"
      "preDeployChecks"
      "tags"
    ];
    defaultName = "network";

    lostOfMeta =
      meta:
      lost "network." [
        { name = "buildShell"; set = meta.buildShell or null != null; instead = "run git push in that shell"; }
        { name = "nixConfig"; set = meta.nixConfig or { } != { }; instead = "write it to Nix's own configuration where it builds"; }
        { name = "evalConfig"; set = meta ? evalConfig; instead = "nodes are evaluated by the nixpkgs of nodes.<name>.nixpkgs"; }
        { name = "runCommand"; set = meta ? runCommand; instead = "each node's system is built by itself"; }
      ];

    ofNode =
      meta: name: d:
      let
        host = if d.targetHost == "" then name else d.targetHost;
        user = d.targetUser or "";
        health = d.healthChecks or { };
        before = d.preDeployChecks or { };
        needy = filter (c: !isPlain c) (commands health ++ commands before);
      in
      {
        settings = only {
          deploy = only {
            inherit host;
            port = d.targetPort or null;
            user = if user == "" || user == "root" then null else user;
            tags = d.tags or [ ];
            build = "deployer";
          };
          profile = only { order = order meta (d.tags or [ ]); };
          health = only {
            http = named (http host) (health.http or [ ]);
            command = plain health;
            preSwitch = only { command = plain before; };
          };
        };
        lost = lost "${name}: deployment." [
          { name = "targetUser"; set = user == ""; instead = "not set: morph logs in as you or as SSH_USER says, git-deploy as root (deploy.user)"; }
          { name = "secrets"; set = d.secrets or { } != { }; instead = "git-deploy sends no secrets: keep them in the repository with agenix or sops-nix, or write to the node yourself ${
            concatStringsSep ", " (map (n: d.secrets.${n}.destination or n) (attrNames d.secrets))
          }"; }
          { name = "healthChecks"; set = health.http or [ ] ++ commands health != [ ]; instead = "morph tries for ever and takes any answer of 2xx; git-deploy tries 10 times more (retries), goes back then, and wants 200 (status)"; }
          { name = "healthChecks.cmd"; set = needy != [ ]; instead = "they need packages, write them to nodes.${name}.health.command by hand: ${described needy}"; }
          { name = "healthChecks.http"; set = any (c: c.headers or { } != { }) (health.http or [ ]); instead = "headers are not sent"; }
          { name = "preDeployChecks.http"; set = before.http or [ ] != [ ]; instead = "what can be asked on the node itself is health.preSwitch.http: ${described (before.http or [ ])}"; }
          { name = "buildOnly"; set = d.buildOnly or false; instead = "use git push -o action=build" ; }
          { name = "substituteOnDestination"; set = d.substituteOnDestination or false; instead = "with deploy.build = \"node\" the node substitutes for itself"; }
        ];
      };
  }
)
