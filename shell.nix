# Everything that `make demo`, `make test` and `make lint` need.
{
  pkgs ? import <nixpkgs> { },
}:
pkgs.mkShell {
  packages = [
    pkgs.busybox-sandbox-shell
    pkgs.busybox
    pkgs.fish
    pkgs.git
    pkgs.gnumake
    pkgs.go
    pkgs.iproute2
    pkgs.mandoc
    pkgs.nftables
    pkgs.nix
    pkgs.openssh
    pkgs.shellcheck
    pkgs.spin
    pkgs.tmux
    pkgs.wireguard-tools
    pkgs.restic
    pkgs.nsd
    pkgs.prometheus
    # as Debian calls it
    (pkgs.writeShellScriptBin "prometheus-node-exporter" ''exec ${pkgs.prometheus-node-exporter}/bin/node_exporter "$@"'')
    pkgs.util-linux
    pkgs.zsh
  ];
}
