# Plain nixosConfigurations of a flake as nodes of a network. Their deploy
# settings are those of the options `git-deploy` inside the configuration where
# it imports that module; otherwise the node's name is its host's name.
nixosConfigurations:
{ lib, config, ... }:
let
  inherit (lib) mapAttrs mkDefault;
in
{
  _file = "nixosConfigurations";

  # Such a flake says nothing of a network; the id tells it from others.
  config.network.name = mkDefault "network-${builtins.substring 0 8 config.network.id}";

  config.nodes = mapAttrs (
    _: evaluation:
    let
      inside = evaluation.options ? git-deploy && evaluation.options.git-deploy ? deploy;
      settings = if inside then evaluation.config.git-deploy.deploy else { };
      # Settings in groups of their own.
      groups = [
        "timeouts"
        "generations"
      ];
      given = lib.filterAttrs (_: v: v != null);
      defaults = settings: mapAttrs (_: mkDefault) (given settings);
    in
    { ... }:
    {
      config = {
        inherit evaluation;
        deploy =
          defaults (removeAttrs settings groups)
          // lib.optionalAttrs inside (lib.genAttrs groups (group: defaults (settings.${group} or { })));
      };
    }
  ) nixosConfigurations;
}
