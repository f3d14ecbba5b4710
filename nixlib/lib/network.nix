# mkNetwork: from the modules of a network to what the program reads.
{
  # Network modules; file is one more, for networks without flakes.
  modules ? [ ],
  file ? null,
  # The folder of the network's repository, and the flake it is, if it is one.
  root ? self,
  self ? null,
  # The nixpkgs whose `lib` evaluates the network. Without it, it is what the
  # modules set as network.nixpkgs, else <nixpkgs>.
  nixpkgs ? null,
  # More arguments for network modules and for configurations of nodes.
  specialArgs ? { },
  # NixOS systems that somebody else evaluated: they become nodes.
  nixosConfigurations ? { },
}:
let
  find = import ./nixpkgs.nix;

  all = (if file == null then [ ] else [ file ]) ++ modules;

  # Modules may set network.nixpkgs, yet they need its lib to be evaluated.
  # So it is looked for where it stands in plain sight; what the evaluation
  # then says is the truth, and if that is another one, it starts again.
  given =
    if nixpkgs != null then
      nixpkgs
    else
      find.plain (args nixpkgsLib) all;
  nixpkgsLib = find.lib given;

  args =
    lib:
    specialArgs
    // {
      nixlib = ./..;
      importNodes = import ./import-nodes.nix { inherit lib; };
    };

  evaluate =
    lib:
    import ./evaluate.nix {
      inherit
        lib
        root
        self
        nixosConfigurations
        ;
      modules = all;
      defaultNixpkgs = given;
      specialArgs = args lib;
    };

  first = evaluate nixpkgsLib;
  chosen = first.config.network.nixpkgs;
in
if find.same given chosen then first else evaluate (find.lib chosen)
