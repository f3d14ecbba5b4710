# A record of a zone, as nodes and zones declare it.
{ lib, compat }:
let
  inherit (lib) mkOption types;
in
{
  options = {
    name = mkOption {
      type = types.addCheck types.str (text: builtins.match "([^.[:space:]]+[.])*[^.[:space:]]+" text != null) // {
        description = "full domain name without the dot at its end";
      };
      example = "www.example.org";
      description = "The full name that the record is about.";
    };
    type = mkOption {
      type = types.enum [
        "A"
        "AAAA"
        "CAA"
        "CNAME"
        "MX"
        "NS"
        "PTR"
        "SRV"
        "TXT"
      ];
      default = "A";
      example = "CNAME";
      description = "The record's type.";
    };
    value = mkOption {
      type = types.str;
      example = "192.0.2.11";
      description = "What the record says, as zone files have it: names with a dot at their end. The text of a TXT record is quoted for you.";
    };
    ttl = mkOption {
      type = types.nullOr compat.types.positive;
      default = null;
      example = 300;
      description = "Seconds for which others may keep the record; `null`: as the zone says.";
    };
  };
}
