# A hive of colmena: a file, or a flake's output `colmena`, or what colmena made of it.
{
  dir,
  file,
  lost,
  only,
  toName,
  toFlake,
  ...
}@args:
let
  inherit (builtins) attrNames concatStringsSep getFlake mapAttrs;

  lostOfMeta =
    meta:
    lost "meta." [
      { name = "machinesFile"; set = meta.machinesFile or null != null; instead = "configure Nix's builders on the machines that build"; }
      { name = "allowApplyAll"; set = !(meta.allowApplyAll or true); instead = "`git deploy push` wants nodes or --all anyway"; }
    ];

  ofNode =
    name: d:
    let
      user = d.targetUser or "root";
    in
    {
      settings = only {
        deploy = only {
          host = if d.targetHost == null then name else d.targetHost;
          port = d.targetPort or null;
          user = if user == "root" then null else user;
          tags = d.tags or [ ];
          build = if d.buildOnTarget or false then null else "deployer";
        };
      };
      lost = lost "${name}: deployment." [
        { name = "targetHost"; set = d.targetHost == null; instead = "null: colmena never connects to it; git deploy add localhost on the machine itself" ; }
        { name = "targetUser"; set = user == null; instead = "null: colmena logs in as you or as your ssh configuration says, git-deploy as root (deploy.user)"; }
        { name = "allowLocalDeployment"; set = d.allowLocalDeployment or false && d.targetHost != null; instead = "a node may change itself: git deploy remotes --deploy-self on it"; }
        { name = "keys"; set = d.keys or { } != { }; instead = "git-deploy sends no secrets, and there are no units NAME-key.service: keep them in the repository with agenix or sops-nix, or write to the node yourself ${
          concatStringsSep ", " (attrValuesOf (n: k: "${k.destDir or "/run/keys"}/${k.name or n}") (d.keys or { }))
        }"; }
        { name = "sshOptions"; set = d.sshOptions or [ ] != [ ]; instead = "write them to your ssh configuration: ${toString (d.sshOptions or [ ])}"; }
        { name = "privilegeEscalationCommand"; set = d.privilegeEscalationCommand or [ "sudo" "-H" "--" ] != [ "sudo" "-H" "--" ]; instead = "it is sudo -n here"; }
        { name = "replaceUnknownProfiles"; set = !(d.replaceUnknownProfiles or true); instead = "what a node runs is merged, not replaced" ; }
      ];
    };
  attrValuesOf = f: attrs: map (n: f n attrs.${n}) (attrNames attrs);

  flake = getFlake "path:${dir}";
  evaluated = flake.colmenaHive or (throw "${dir}/flake.nix has neither the output colmena nor colmenaHive, so there is nothing of colmena to import");
  hive =
    args':
    import ./read-hive.nix (
      removeAttrs args [ "only" "path" "toFlake" ]
      // {
        inherit lostOfMeta;
        ofNode = _: ofNode;
        metaName = "meta";
        metaKnown = [ "machinesFile" "allowApplyAll" "nodeNixpkgs" "nodeSpecialArgs" ];
        known = [
          "targetHost"
          "targetPort"
          "targetUser"
          "allowLocalDeployment"
          "buildOnTarget"
          "tags"
          "keys"
          "sshOptions"
          "privilegeEscalationCommand"
          "replaceUnknownProfiles"
        ];
        defaultName = "hive";
      }
      // args'
    );
  # Its systems are what colmena evaluated.
  systems =
    let
      nodes = mapAttrs ofNode evaluated.deploymentConfig;
      name = toName "hive" (evaluated.metaConfig.name or "hive");
    in
    {
      inherit name;
      nodes = mapAttrs (_: n: n.settings) nodes;
      lost =
        lostOfMeta (evaluated.metaConfig or { })
        ++ [ "colmenaHive: import inputs.git-deploy.nixosModules.default in its defaults, which a node needs" ]
        ++ builtins.concatMap (n: nodes.${n}.lost) (attrNames nodes);
    }
    // toFlake name (mapAttrs (n: _: "evaluation = self.colmenaHive.nodes.${builtins.toJSON n}") nodes);
in
if file != "flake.nix" then
  hive { }
else if flake ? colmena then
  hive {
    hive = flake.colmena;
    hiveText = "self.colmena";
  }
  // { inherit (toFlake "" { }) hints; }
else
  systems
