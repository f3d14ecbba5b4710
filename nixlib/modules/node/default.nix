# One node inside the network `network`: its options, as a type.
#
# What is declared is one module, made once for all nodes; only what depends on
# the node at hand is a function.
{ lib, network }:
let
  inherit (lib) mkOptionDefault recursiveUpdate zipListsWith;
  inherit (network._internal) arguments compat;

  declare = file: import file { inherit lib compat network; };
  options = builtins.foldl' recursiveUpdate { } (
    map declare [
      ./deploy.nix
      ./timeouts.nix
      ./rollback.nix
      ./generations.nix
      ./health.nix
      ./nixpkgs.nix
      ./profile.nix
      ./dns.nix
    ]
  );
  configuration = declare ./configuration.nix;

  # The same by the module system.
  configured =
    {
      name,
      config,
      options,
      ...
    }:
    let
      opt = options.configuration;
      module = compat.types.module.merge opt.loc (zipListsWith (file: value: { inherit file value; }) opt.files opt.definitions);
      read = evaluation: configuration.read name config {
        inherit evaluation;
        configuration = module;
      };
    in
    {
      _file = toString ./configuration.nix;
      options = {
        configuration = configuration.options.configuration // {
          apply = _: (read null).configuration;
        };
        evaluation = configuration.options.evaluation // {
          apply = given: (read given).evaluation;
        };
      };
    };

  # Every node is reached by its own name unless it says otherwise.
  implied = name: {
    _file = toString ./deploy.nix;
    deploy.host = mkOptionDefault name;
  };
in
import ../../lib/node-type.nix {
  inherit lib;
  fast = {
    inherit (options)
      deploy
      profile
      health
      nixpkgs
      ;
  }
  // configuration.options;
  names = builtins.attrNames options ++ builtins.attrNames configuration.options;
  inherit (configuration) read;
  common = [ network.defaults ];
  inherit (network) groups;
  implied = name: [
    {
      file = (implied name)._file;
      value = removeAttrs (implied name) [ "_file" ];
    }
  ];
  submodule = compat.types.node arguments [
    {
      _file = toString ./.;
      inherit options;
    }
    ({ name, ... }: implied name)
    configured
    network.defaults
  ];
}
