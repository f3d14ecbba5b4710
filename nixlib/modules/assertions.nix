# assertions and warnings: what must hold of the network as a whole.
{ lib, config, ... }:
let
  inherit (lib) mkOption types;
  inherit (config._internal) compat;
in
{
  options = {
    assertions = mkOption {
      type = types.listOf types.unspecified;
      default = [ ];
      example = compat.literal ''
        [
          {
            assertion = config.balance.backends != [ ];
            message = "balance.backends is empty: name the nodes that serve, e.g. [ \"web\" ].";
          }
        ]
      '';
      description = "What must hold for the network to evaluate at all, each with the message that says what is wrong, where, and the fix. They are judged with every node: what they read should be options of the network, not configurations of nodes. For modules of the network; those of a node's configuration have `assertions` of their own.";
    };
    warnings = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "balance.port is 80: the backends are reached without encryption." ];
      description = "What the user should know about the network; shown with the deployment of every node.";
    };
  };
}
