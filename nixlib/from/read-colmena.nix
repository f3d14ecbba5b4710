# A hive of colmena.
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
import ./read-hive.nix {
  inherit mkNetwork path file nixpkgs nixpkgsText;
  name = meta: meta.name or "hive";

  lost =
    meta:
    lost "meta." [
      { name = "machinesFile"; set = meta.machinesFile or null != null; instead = "configure Nix's builders on the machines that build"; }
      { name = "allowApplyAll"; set = !(meta.allowApplyAll or true); instead = "`git deploy push` wants nodes or --all anyway"; }
      { name = "specialArgs"; set = meta.specialArgs or { } != { } || meta.nodeSpecialArgs or { } != { }; instead = "they are arguments of modules now, which `imports` cannot depend on"; }
    ];

  ofNode =
    name: d:
    {
      settings = only {
        deploy = only {
          host = if d.targetHost == null then name else d.targetHost;
          port = d.targetPort or null;
          user = let user = d.targetUser or "root"; in if user == "root" then null else user;
          tags = d.tags or [ ];
          build = if d.buildOnTarget or false then null else "deployer";
        };
      };
      lost = lost "${name}: deployment." [
        { name = "targetHost"; set = d.targetHost == null; instead = "null: colmena never connects to it; git deploy add localhost on the machine itself" ; }
        { name = "keys"; set = d.keys or { } != { }; instead = "not sent: ${toString (builtins.attrNames (d.keys or { }))}"; }
        { name = "sshOptions"; set = d.sshOptions or [ ] != [ ]; instead = "write them to your ssh configuration: ${toString (d.sshOptions or [ ])}"; }
        { name = "privilegeEscalationCommand"; set = d ? privilegeEscalationCommand; instead = "it is sudo -n here"; }
        { name = "replaceUnknownProfiles"; set = !(d.replaceUnknownProfiles or true); instead = "what a node runs is merged, not replaced" ; }
      ];
    };
}
