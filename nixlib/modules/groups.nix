# groups: settings of all nodes with a tag.
{ lib, config, ... }:
let
  inherit (lib)
    concatMap
    concatStringsSep
    elem
    mapAttrsToList
    ;
  inherit (config._internal) compat;

  tags = lib.unique (concatMap (node: node.deploy.tags) (builtins.attrValues config.nodes));
  there = if tags == [ ] then "there are none" else "there are: ${concatStringsSep ", " tags}";
in
{
  options.groups = lib.mkOption {
    type = lib.types.attrsOf compat.types.module;
    default = { };
    example = compat.literal ''
      {
        server = {
          deploy.timeouts.confirm = 120;
          configuration.services.openssh.enable = true;
        };
      }
    '';
    description = ''
      Modules by tag: each is part of every node that has the tag in `deploy.tags`, like one of its own.
      The tags are those that the node and `defaults` give it; tags that a group adds bring no other groups.
    '';
  };

  config.assertions = mapAttrsToList (tag: _: {
    assertion = elem tag tags;
    message = "groups.${tag} is for nodes with the tag ${tag}, and no node has it (${there}): write nodes.<name>.deploy.tags = [ \"${tag}\" ]; for those that should, or remove the group.";
  }) config.groups;
}
