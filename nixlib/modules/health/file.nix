# health.file: files that must be there, or must not.
{
  lib,
  compat,
  group,
  ...
}:
let
  inherit (lib) mkOption types;
in
group
  {
    path = mkOption {
      type = compat.types.absolutePath;
      example = "/var/lib/backup/last";
      description = "The file or folder to look at, on the node.";
    };
    absent = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = "Whether it must not exist.";
    };
    body = mkOption {
      type = types.str;
      default = "";
      example = "^ready$";
      description = "Regular expression (RE2) that the content must match; empty accepts any. The first MiB of the file is looked at.";
    };
    maxAge = mkOption {
      type = types.nullOr compat.types.positive;
      default = null;
      example = 86400;
      description = "Seconds that may have passed since it was last changed; `null`: any.";
    };
  }
  {
    example.backup = {
      path = "/var/lib/backup/last";
      maxAge = 86400;
    };
    description = "Files that must exist, be new enough, match an expression, or not exist.";
  }
