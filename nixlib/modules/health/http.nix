# health.http: addresses that must answer.
{
  lib,
  compat,
  group,
  from,
}:
let
  inherit (lib) mkOption types;
in
group
  (
    from
    // {
      url = mkOption {
        type = types.str;
        example = "https://shop.example.org/health";
        description = "The address to fetch. With `https`, the certificate must be valid for it.";
      };
      status = mkOption {
        type = compat.types.positive;
        default = 200;
        example = 204;
        description = "The status code that the answer must have. Redirects are followed unless it is one itself.";
      };
      body = mkOption {
        type = types.str;
        default = "";
        example = "\"status\": *\"ok\"";
        description = "Regular expression (RE2) that the body must match; empty accepts any. The first MiB of the body is looked at.";
      };
      ca = mkOption {
        type = types.nullOr compat.types.absolutePath;
        default = null;
        example = "/etc/ssl/own-ca.pem";
        description = "File of PEM certificates to trust instead of the system's, on the machine that checks.";
      };
      insecure = mkOption {
        type = types.bool;
        default = false;
        example = true;
        description = "Whether to accept any certificate.";
      };
    }
  )
  {
    example.site.url = "http://localhost/";
    description = "Addresses that must answer.";
  }
