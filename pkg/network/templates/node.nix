# The node @name@.
{
  deploy.host = "@host@";@settings@

  # What this machine runs: an ordinary NixOS configuration.
  configuration =
    { ... }:
    {
@imports@    };
}
