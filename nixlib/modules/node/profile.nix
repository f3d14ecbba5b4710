# nodes.<name>.profile: what is activated on the node. One network owns a
# machine's system; others may own profiles of it. All but the package goes
# into the manifest and may not read the node's configuration.
{ lib, compat, ... }:
let
  inherit (lib) mkOption types;
in
{
  profile = {
    kind = mkOption {
      type = types.enum [
        "nixos"
        "home-manager"
        "nix-darwin"
        "system-manager"
        "custom"
      ];
      default = "nixos";
      example = "custom";
      description = "What the node is given: `nixos` is the machine's system, which one network of a machine owns; `home-manager` is the home of a user, `system-manager` what it manages on another Linux, `nix-darwin` the system of a Mac; `custom` is a profile beside them, any package with a program that makes it live.";
    };
    package = mkOption {
      type = compat.types.raw;
      default = null;
      example = compat.literal "pkgs: pkgs.callPackage ./dotfiles.nix { }";
      description = "The package to activate, or a function from the packages of the node's nixpkgs to it. With other kinds than `custom` it is what their own tools build (a flake's `homeConfigurations.alice.activationPackage`), in place of `profile.source` and `configuration`.";
    };
    source = mkOption {
      type = compat.types.raw;
      default = null;
      example = compat.literal "inputs.home-manager";
      description = "With the kinds `home-manager`, `nix-darwin` and `system-manager`: what evaluates `configuration`, as a flake's input; the first two may also be a path or a pin.";
    };
    platform = mkOption {
      type = types.nullOr types.str;
      default = null;
      defaultText = compat.prose "that of the machine that evaluates, where the configuration does not say it";
      example = "aarch64-darwin";
      description = "The platform that the profile is for.";
    };
    activate = mkOption {
      type = types.nullOr (types.listOf types.str);
      default = null;
      defaultText = compat.prose "what the kind's own tools run; `[ \"bin/activate\" ]` for `custom`";
      example = [
        "bin/activate"
        "--verbose"
      ];
      description = "The program that makes the package live, and its arguments: a path inside the package, or an absolute one. It must be able to run again, and an older package's must bring back what that was.";
    };
    user = mkOption {
      type = types.nullOr types.str;
      default = null;
      defaultText = compat.prose "root; `home-manager` must be told";
      example = "alice";
      description = "The user on the node as whom the profile is activated.";
    };
    name = mkOption {
      type = types.nullOr types.str;
      default = null;
      defaultText = compat.prose "the network's name for `custom`, else what the kind is called";
      example = "dotfiles";
      description = "The name of the profile on the node. Networks that own profiles of one user there must choose different ones.";
    };
    path = mkOption {
      type = types.nullOr compat.types.absolutePath;
      default = null;
      defaultText = compat.prose "{file}`/nix/var/nix/profiles/per-user/USER/NAME`, or where the kind's own tools keep it";
      example = "/nix/var/nix/profiles/per-user/alice/home-manager";
      description = "The link that Nix keeps the profile's generations under.";
    };
    order = mkOption {
      type = types.nullOr compat.types.unsigned;
      default = null;
      defaultText = compat.prose "0 for what manages a machine, 100 for other profiles";
      example = 200;
      description = "Nodes that are pushed to together are deployed in this order, lower first; those of equal order at the same time.";
    };
  };
}
