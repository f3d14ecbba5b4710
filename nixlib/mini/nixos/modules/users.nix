# Users, as far as services and tests name them; mini makes none, but writes
# down who may log in where NixOS's sshd looks for it.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
in
{
  options.users = {
    users = mkOption {
      type = types.attrsOf (
        types.submodule (
          { name, ... }:
          {
            options = {
              name = mkOption {
                type = types.str;
                default = name;
                description = "The user's name.";
              };
              isNormalUser = mkOption {
                type = types.bool;
                default = false;
                description = "Whether this is a person.";
              };
              isSystemUser = mkOption {
                type = types.bool;
                default = false;
                description = "Whether this is a program.";
              };
              useDefaultShell = mkOption {
                type = types.bool;
                default = false;
                description = "Whether the user's shell is the default one.";
              };
              group = mkOption {
                type = types.str;
                default = "";
                description = "The user's main group.";
              };
              extraGroups = mkOption {
                type = types.listOf types.str;
                default = [ ];
                description = "Other groups of the user.";
              };
              openssh.authorizedKeys.keys = mkOption {
                type = types.listOf types.singleLineStr;
                default = [ ];
                description = "Keys that may log in as the user.";
              };
            };
          }
        )
      );
      default = { };
      example.alice.isNormalUser = true;
      description = "Users of the system.";
    };
    groups = mkOption {
      type = types.attrsOf (types.submodule { });
      default = { };
      example.web = { };
      description = "Groups of the system.";
    };
  };

  config.environment.etc =
    lib.mapAttrs'
      (_: user: {
        name = "ssh/authorized_keys.d/${user.name}";
        value = {
          mode = "0444";
          text = lib.concatLines user.openssh.authorizedKeys.keys;
        };
      })
      (lib.filterAttrs (_: user: user.openssh.authorizedKeys.keys != [ ]) config.users.users);
}
