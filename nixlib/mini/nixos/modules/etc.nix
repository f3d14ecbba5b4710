# Files in /etc.
{ config, lib, pkgs, ... }:
let
  inherit (lib)
    mkDefault
    mkIf
    mkOption
    types
    ;

  file =
    {
      name,
      config,
      options,
      ...
    }:
    {
      options = {
        enable = mkOption {
          type = types.bool;
          default = true;
          description = "Whether this file is made.";
        };
        target = mkOption {
          type = types.str;
          default = name;
          example = "nginx/nginx.conf";
          description = "Path of the file, relative to {file}`/etc`.";
        };
        text = mkOption {
          type = types.nullOr types.lines;
          default = null;
          example = "hello";
          description = "Text of the file.";
        };
        source = mkOption {
          type = types.path;
          example = "/run/example";
          description = "What the file links to.";
        };
        mode = mkOption {
          type = types.str;
          default = "symlink";
          example = "0600";
          description = "If not `symlink`, the file is copied, with this mode.";
        };
        inline = mkOption {
          type = types.bool;
          internal = true;
          readOnly = true;
          # The text is written into the system itself unless somebody chose
          # another source.
          default = config.text != null && options.source.highestPrio >= 1000;
          description = "Whether the text is written into the system itself.";
        };
      };
      config.source = mkIf (config.text != null) (
        mkDefault (pkgs.writeText "etc-${lib.strings.sanitizeDerivationName name}" config.text)
      );
    };
in
{
  options.environment.etc = mkOption {
    type = types.attrsOf (types.submodule file);
    default = { };
    example.motd.text = "hello";
    description = "Files that have to be linked in {file}`/etc`.";
  };

  config.environment.etc."set-environment" = mkIf (config.environment.variables != { }) {
    text = lib.concatLines (lib.mapAttrsToList (n: v: "export ${n}=${lib.escapeShellArg v}") config.environment.variables);
  };
}
