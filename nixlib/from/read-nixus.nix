# A network of nixus: its module (deploy.nix) stays, ./nixus.nix explains it.
{
  mkNetwork,
  path,
  file,
  lost,
  nixpkgs,
  nixpkgsText,
  ...
}:
let
  inherit (builtins) attrNames concatMap match;
  nixus = import ./nixus.nix {
    network = path;
    inherit nixpkgs;
  };
  network = mkNetwork {
    modules = [
      {
        network = {
          name = "import";
          id = "import";
          inherit (nixus) nixpkgs;
        };
      }
      nixus.module
    ];
  };
  ofNode =
    name:
    let
      node = network.config.nodes.${name};
    in
    lost "${name}: " [
      { name = "enable"; set = !node.enable; instead = "name the nodes that you push to"; }
      { name = "host"; set = match ".*@.*" node.host == null; instead = "it names no user: nixus logs in as you, git-deploy as root (deploy.user)"; }
      { name = "hasFastConnection"; set = node.hasFastConnection; instead = "only what the node lacks is copied"; }
      { name = "ignoreFailingSystemdUnits"; set = node.ignoreFailingSystemdUnits; instead = "a unit that fails after a switch fails the deployment"; }
      { name = "deployFrom"; set = node.deployFrom != { }; instead = "write Match or Host to your ssh configuration on: ${toString (attrNames node.deployFrom)}"; }
      { name = "privilegeEscalationCommand"; set = node.privilegeEscalationCommand != [ "sudo" ]; instead = "it is sudo -n here"; }
      { name = "closurePaths"; set = node.closurePaths != { }; instead = "what the configuration refers to is copied: ${toString (attrNames node.closurePaths)}"; }
      { name = "preparationPhases"; set = node.preparationPhases != { }; instead = "nothing runs here before a deployment; checks on the node do, health.preSwitch: ${toString (attrNames node.preparationPhases)}"; }
      { name = "postDeployScript"; set = node.postDeployScript != ""; instead = "run it after git push, whose exit code says how it went"; }
    ];
in
{
  name = "network";
  nodes = { };
  lost = [
    "nodes in configurations: nodes.<name> is a node here, its configuration nodes.<name>.configuration"
    "secrets.files and networking.public in configurations: modules of nixus that are not here; for secrets use agenix or sops-nix"
  ]
  ++ lost "" [
    { name = "deployHost"; set = network.config.deployHost != null; instead = "see deployFrom"; }
    { name = "options.defaults"; set = nixus.again; instead = "it is declared already: write arguments of submoduleWith to defaults.specialArgs, modules to defaults.configuration.imports"; }
  ]
  ++ concatMap ofNode (attrNames network.config.nodes);
  files."network.nix" = ''
    { nixlib, ... }:
    let
      nixus = import (nixlib + "/from/nixus.nix") {
        network = ./${file};
    ${if nixus.given == null then "    nixpkgs = ${nixpkgsText};\n" else ""}  };
    in
    {
      imports = [ nixus.module ];
      network = {
        name = "network";
        inherit (nixus) nixpkgs;
      };
    }
  '';
}
