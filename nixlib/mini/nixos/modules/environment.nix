# Programs in everybody's PATH: links in the system's sw/bin.
{ lib, ... }:
let
  inherit (lib) mkOption types;
in
{
  options.environment = {
    systemPackages = mkOption {
      type = types.listOf types.package;
      default = [ ];
      example = lib.literalExpression "[ pkgs.git ]";
      description = "Packages whose programs are in {file}`/run/current-system/sw/bin`.";
    };
    variables = mkOption {
      type = types.attrsOf types.str;
      default = { };
      example.EDITOR = "vim";
      description = "Environment variables of everybody's login shell (written to {file}`/etc/set-environment`).";
    };
  };
}
