# Packages come with their own configuration.
{ pkgs, ... }:
{
  config = { };
  inherit pkgs;
}
