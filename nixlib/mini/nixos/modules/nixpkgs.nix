# Which packages the configuration sees as `pkgs`.
{ config, lib, options, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.nixpkgs;
  platform = if options.nixpkgs.hostPlatform.isDefined then cfg.hostPlatform.system or cfg.hostPlatform else cfg.system;
in
{
  options.nixpkgs = {
    system = mkOption {
      type = types.str;
      example = "aarch64-linux";
      description = "The system that packages are built for, where `hostPlatform` does not say it.";
    };
    hostPlatform = mkOption {
      type = types.either types.str types.attrs;
      example = "x86_64-linux";
      description = "The platform that packages are built for.";
    };
    config = mkOption {
      type = types.attrs;
      default = { };
      example.allowUnfree = true;
      description = "Configuration of the packages.";
    };
    overlays = mkOption {
      type = types.listOf types.unspecified;
      default = [ ];
      example = lib.literalExpression "[ (final: prev: { }) ]";
      description = "Overlays on the packages.";
    };
    pkgs = mkOption {
      type = types.nullOr types.pkgs;
      default = null;
      defaultText = lib.literalExpression "import <nixpkgs> { }";
      description = "The packages themselves.";
    };
  };

  config._module.args.pkgs =
    if cfg.pkgs != null then
      cfg.pkgs
    else
      import ../.. {
        system = platform;
        inherit (cfg) config overlays;
      };
}
