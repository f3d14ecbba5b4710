# One node inside the network `network`: its options, as a type.
#
# What is declared is one module, made once for all nodes; only what depends on
# the node at hand is a function.
{ lib, network }:
let
  inherit (lib) mkOptionDefault zipListsWith;
  inherit (network._internal) arguments compat;

  declare = file: import file { inherit lib compat network; };
  configuration = declare ./configuration.nix;

  # What is read without the module system where it is plain, and the rest.
  fast = {
    inherit (declare ./deploy.nix) deploy;
    inherit (declare ./profile.nix) profile;
    health = import ../health { inherit lib compat; };
  }
  // configuration.options;
  slow = {
    inherit (declare ./dns.nix) dns;
  };

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
  inherit lib fast;
  names = builtins.attrNames (fast // slow);
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
      options = removeAttrs (fast // slow) [
        "configuration"
        "evaluation"
      ];
    }
    ({ name, ... }: implied name)
    configured
    network.defaults
  ];
}
