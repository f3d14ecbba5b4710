# What a system's name says; only what mini's own packages need.
{ lib }:
{
  elaborate =
    args:
    let
      system = if builtins.isAttrs args then args.system else args;
      parts = builtins.match "([^-]+)-(.+)" system;
      kernel = builtins.elemAt parts 1;
    in
    if parts == null then
      throw "unknown system '${toString system}': expected CPU-KERNEL, for example x86_64-linux"
    else
      {
        inherit system;
        config = system;
        isLinux = kernel == "linux";
        isDarwin = kernel == "darwin";
        isx86_64 = builtins.head parts == "x86_64";
        isAarch64 = builtins.head parts == "aarch64";
        linuxArch = builtins.head parts;
        __toString = self: self.system;
      };
  flakeExposed = [
    "x86_64-linux"
    "aarch64-linux"
  ];
  inherit (lib) id;
}
