# Packages which only point to programs of the host. With them one
# configuration can say "''${pkgs.busybox}/bin/httpd" on mini and on nixpkgs.
{ lib, runCommand }:
let
  inherit (lib) concatMapStrings genAttrs;

  hostPackage =
    name: programs:
    runCommand name { meta.mainProgram = builtins.head programs.own; } ''
      mkdir -p $out/bin
      find() { # program
        for dir in /run/current-system/sw/bin /usr/bin /bin /usr/sbin /sbin; do
          [ ! -x $dir/$1 ] || { echo $dir/$1; return; }
        done
        echo /usr/bin/$1
      }
      ${concatMapStrings (p: "ln -s $(find ${p}) $out/bin/${p}\n") programs.own}
      ${concatMapStrings (p: "ln -s $(find busybox) $out/bin/${p}\n") programs.applets or [ ]}
    '';

  simple = genAttrs [
    "git"
    "curl"
    "jq"
    "rsync"
  ] (name: hostPackage name { own = [ name ]; });
in
simple
// {
  busybox = hostPackage "busybox" {
    own = [ "busybox" ];
    applets = [
      "httpd"
      "nc"
      "sh"
      "sleep"
      "wget"
      "cat"
      "printf"
    ];
  };
  bash = hostPackage "bash" {
    own = [
      "bash"
      "sh"
    ];
  };
  coreutils = hostPackage "coreutils" {
    own = [
      "cat"
      "chmod"
      "cp"
      "date"
      "false"
      "id"
      "ln"
      "ls"
      "mkdir"
      "mv"
      "rm"
      "sleep"
      "test"
      "touch"
      "true"
    ];
  };
  iproute2 = hostPackage "iproute2" { own = [ "ip" ]; };
  wireguard-tools = hostPackage "wireguard-tools" {
    own = [
      "wg"
      "wireguard-go"
    ];
  };
  openssh = hostPackage "openssh" {
    own = [
      "ssh"
      "sshd"
      "ssh-keygen"
    ];
  };
}
