# The system itself: one derivation, so that a changed line costs one build.
{ config, lib, pkgs, ... }:
let
  inherit (lib)
    concatLines
    concatMapStrings
    escapeShellArg
    filterAttrs
    mapAttrsToList
    ;

  failed = map (a: a.message) (builtins.filter (a: !a.assertion) config.assertions);
  checked =
    v:
    if failed != [ ] then
      throw "\nFailed assertions:\n${lib.concatMapStringsSep "\n" (m: "- ${m}") failed}"
    else
      builtins.foldl' (v: w: lib.warn w v) v config.warnings;

  files = builtins.attrValues (filterAttrs (_: f: f.enable) config.environment.etc);
  services = config.system.build.services;

  # Shell that writes a text with built-ins only.
  quote = text: "'${builtins.replaceStrings [ "'" ] [ "'\\''" ] text}'";
  write = path: text: "printf %s ${quote text} > \"$out\"/${escapeShellArg path}\n";

  dirs = lib.unique (
    [
      "bin"
      "etc"
      "services"
      "systemd"
      "sw/bin"
    ]
    ++ map (f: dirOf "etc/${f.target}") files
  );

  script =
    ''
      mkdir -p ${concatMapStrings (d: " \"$out\"/${escapeShellArg d}") dirs}
    ''
    + concatMapStrings (
      f:
      if f.inline then
        write "etc/${f.target}" f.text
      else
        "ln -s ${escapeShellArg "${f.source}"} \"$out\"/${escapeShellArg "etc/${f.target}"}\n"
    ) files
    + concatMapStrings (p: ''
      for program in ${p}/bin/*; do
        [ ! -e "$program" ] || [ -e "$out/sw/bin/''${program##*/}" ] || ln -s "$program" "$out/sw/bin/"
      done
    '') config.environment.systemPackages
    + lib.concatStrings (
      mapAttrsToList (n: s: write "services/${n}" s.run + write "systemd/${n}.service" s.unit) services
    )
    + write "units" (concatLines (mapAttrsToList (_: s: s.line) services))
    + write "etc-files" (concatLines (map (f: "${f.mode} ${f.target}") files))
    + write "tmpfiles" (concatLines config.systemd.tmpfiles.rules)
    + write "fragments" config.system.build.activationScript
    + write "nixos-version" config.system.nixos.version
    + write "init-interface-version" "mini ${toString config.system.initInterface}"
    + write "system" pkgs.system
    + write "hostname" config.networking.hostName
    + concatMapStrings (program: ''
      { printf '#!/bin/sh\nsystem=%s\n' "$out"; printf %s ${quote (builtins.readFile program.text)}; } > "$out/${program.path}"
    '') programs
    + "chmod +x ${concatMapStrings (p: " \"$out/${p.path}\"") programs}\n";

  programs = [
    {
      path = "bin/switch-to-configuration";
      text = ../switch-to-configuration.sh;
    }
    {
      path = "activate";
      text = ../activate.sh;
    }
    {
      path = "init";
      text = ../init.sh;
    }
  ];
in
{
  system.build.toplevel = checked (
    pkgs.runCommand "nixos-system-${config.networking.hostName}-${config.system.nixos.version}" { } script
  );
}
