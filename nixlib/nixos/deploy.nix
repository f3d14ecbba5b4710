# git-deploy.deploy: deploy settings inside a NixOS configuration, read only
# where the network is a flake's plain nixosConfigurations. In a network of its
# own they stand in nodes.<name>.deploy, which needs no evaluation of NixOS.
{ lib, compat }:
let
  inherit (lib) mkOption types;

  setting =
    type: example: description:
    mkOption {
      type = types.nullOr type;
      default = null;
      inherit example description;
    };
  place = types.enum [
    "node"
    "deployer"
  ];
in
{
  host = setting compat.types.host "web.example.org" "The address to connect to; `null`: the name in nixosConfigurations.";
  user = setting types.str "deploy" "The user to log in as; `null`: root.";
  port = setting compat.types.port 2222 "The port of sshd; `null` leaves it to ssh and its configuration.";
  tags = setting (types.listOf types.str) [ "server" ] "Tags, by which commands select nodes; `null`: none.";
  branch = setting types.str "production" "The branch of which a push is activated; `null`: main.";
  evaluate = setting place "deployer" "Where the configuration is evaluated; `null`: on the node.";
  build = setting place "deployer" "Where the system is built; `null`: on the node.";
  timeouts = {
    activate = setting compat.types.positive 600 "Seconds that switching may take; `null`: 240.";
    confirm = setting compat.types.positive 120 "Seconds for the deployer to confirm; `null`: 30.";
    reboot = setting compat.types.positive 900 "Seconds for the node to be back after a reboot; `null`: 300.";
  };
  generations = {
    keep = setting compat.types.positive 10 "How many of the newest generations are kept; `null`: no limit by count.";
    days = setting compat.types.positive 30 "For how many days a generation is kept; `null`: no limit by age.";
  };
  rebootOnFailedRollback = setting types.bool true "Whether the node may reboot into this system when a later one failed and this one cannot be put back live; `null`: it may not.";
}
