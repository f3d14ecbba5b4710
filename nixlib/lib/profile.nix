# What one node activates, as plain data: `profile` of manifest and bundle.
# Only options of the node are read, never its configuration.
{
  lib,
  # The network's name, the node's name, and the node.
  network,
  name,
  node,
}:
let
  p = node.profile;
  system = p.kind == "nixos";
  only =
    option: value:
    throw "node ${name}: profile.${option} is set, but profile.kind is \"nixos\": the system is activated by root with its own switch-to-configuration; leave profile.${option} out, or set profile.kind to \"custom\"";
  own = option: value: if system && value != null then only option value else value;
  or' = default: value: if value == null then default else value;

  # What a kind's own tools do, where nothing else is said.
  usual =
    {
      nixos = {
        name = "system";
        activate = [ ];
        order = 0;
      };
      home-manager = {
        name = "home-manager";
        user = throw "node ${name}: profile.kind is \"home-manager\", and profile.user is not set: write nodes.${name}.profile.user = \"alice\";";
        activate = [ "activate" ];
      };
      nix-darwin = {
        name = "darwin";
        path = "/nix/var/nix/profiles/system";
        activate = [ "activate" ];
        order = 0;
      };
      system-manager = {
        name = "system-manager";
        path = "/nix/var/nix/profiles/system-manager-profiles/system-manager";
        order = 0;
      };
      custom = { };
    }
    .${p.kind};
in
{
  inherit (p) kind;
  name = or' (usual.name or network) (own "name" p.name);
  path = or' (usual.path or "") (own "path" p.path);
  user = or' (usual.user or "root") (own "user" p.user);
  activate = or' (usual.activate or [ "bin/activate" ]) (own "activate" p.activate);
  order = or' (usual.order or 100) p.order;
}
