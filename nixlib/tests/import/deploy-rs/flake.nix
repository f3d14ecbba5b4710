# A flake as deploy-rs' examples show them: a system, and a program of another
# user beside it. (What deploy-rs.lib makes is a derivation that needs the
# system and has the program deploy-rs-activate.)
{
  inputs.nixpkgs = {
    url = "path:MINI";
    flake = false;
  };
  outputs =
    { self, nixpkgs }:
    let
      pkgs = import nixpkgs { system = "x86_64-linux"; };
      activate = base: pkgs.runCommand "activatable" { inherit base; } "mkdir -p $out; echo $base > $out/base; ln -s $base/activate $out/deploy-rs-activate";
    in
    {
      nixosConfigurations.example-nixos-system = import (nixpkgs + "/nixos/lib/eval-config.nix") {
        system = "x86_64-linux";
        modules = [ { environment.etc.motd.text = "a system"; } ];
      };

      # OUTPUT
      deploy.sshUser = "admin";
      deploy.nodes.example = {
        sshOpts = [ "-p" "2221" "-A" ];
        hostname = "localhost";
        fastConnection = true;
        profilesOrder = [ "hello" "system" ];
        profiles = {
          system = {
            path = activate self.nixosConfigurations.example-nixos-system.config.system.build.toplevel;
            user = "root";
            confirmTimeout = 60;
            profilePath = "/nix/var/nix/profiles/system";
            unheardOf = true;
          };
          hello = {
            sshUser = "hello";
            sshOpts = [ "-oPort=2222" "-A" ];
            magicRollback = false;
            autoRollback = false;
            interactiveSudo = true;
            sudo = "doas -u";
            tempPath = "/var/tmp";
            remoteBuild = true;
            path = activate (pkgs.writeText "hello" "");
            user = "hello";
          };
        };
      };
    };
}
