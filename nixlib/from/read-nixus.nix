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
  network = mkNetwork {
    modules = [
      {
        network = {
          name = "import";
          id = "import";
          inherit nixpkgs;
        };
      }
      ./nixus.nix
      path
    ];
  };
  ofNode =
    name:
    let
      node = network.config.nodes.${name};
    in
    lost "${name}: " [
      { name = "enable"; set = !node.enable; instead = "name the nodes that you push to"; }
      { name = "ignoreFailingSystemdUnits"; set = node.ignoreFailingSystemdUnits; instead = "a unit that fails after a switch fails the deployment"; }
      { name = "deployFrom"; set = node.deployFrom != { }; instead = "write Match or Host to your ssh configuration on: ${toString (builtins.attrNames node.deployFrom)}"; }
      { name = "privilegeEscalationCommand"; set = node.privilegeEscalationCommand != [ "sudo" ]; instead = "it is sudo -n here"; }
    ];
in
{
  name = "network";
  nodes = { };
  lost = [
    "nodes in configurations: nodes.<name> is a node here, its configuration nodes.<name>.configuration"
  ]
  ++ builtins.concatMap ofNode (builtins.attrNames network.config.nodes);
  files."network.nix" = ''
    { nixlib, ... }:
    {
      imports = [
        ./${file}
        (nixlib + "/from/nixus.nix")
      ];
      network = {
        name = "network";
        nixpkgs = ${nixpkgsText};
      };
    }
  '';
}
