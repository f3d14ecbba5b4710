# ssh.access: authorized keys on one side, host keys on the other.
{ lib, configOf, boom, example, ... }:
let
  web = "ssh-ed25519 WEB";
  store = "ssh-ed25519 STORE";
  base = {
    nodes = {
      web = { };
      store.deploy = { host = "192.0.2.3"; port = 2222; };
      other = { };
    };
    ssh = {
      userKeys."root@web" = web;
      hostKeys = { inherit store; };
      access.mirror = { from.nodes = [ "web" ]; to.nodes = [ "store" ]; };
    };
  };
  of = name: modules: configOf name ([ base ] ++ modules);
  authorized = name: user: modules: ((of name modules).users.users.${user} or { openssh.authorizedKeys.keys = [ ]; }).openssh.authorizedKeys.keys;
  known = name: modules: lib.mapAttrs (_: h: [ h.hostNames h.publicKey ]) (builtins.intersectAttrs base.nodes (of name modules).programs.ssh.knownHosts);
  inExample = example "ssh";
in
{
  authorizedKeys = {
    expr = map (n: authorized n "root" [ ]) [ "web" "store" "other" ];
    expected = [ [ ] [ web ] [ ] ];
  };
  knownHosts = {
    expr = map (n: known n [ ]) [ "web" "store" "other" ];
    expected = [ { store = [ [ "store" "[192.0.2.3]:2222" ] store ]; } { } { } ];
  };
  otherUser = {
    expr = authorized "store" "mirror" [ { ssh.access.mirror.to.user = "mirror"; nodes.store.configuration.users.users.mirror.isNormalUser = true; } ];
    expected = [ web ];
  };
  oneCommand = {
    expr = authorized "store" "root" [ { ssh.access.mirror.command = "echo \"x\""; } ];
    expected = [ "restrict,command=\"echo \\\"x\\\"\" ${web}" ];
  };
  people = {
    expr = authorized "store" "root" [ { ssh.access.mirror.from.keys = [ "ssh-ed25519 ADA" ]; } ];
    expected = [ web "ssh-ed25519 ADA" ];
  };
  throughAPrivateNetwork = {
    expr = lib.head (known "web" [ { vpn.networks.home = { subnets = [ "10.1.0.0/16" ]; nodes.store.addresses = [ "10.1.0.3" ]; }; } ]).store;
    expected = [ "store" "[192.0.2.3]:2222" "[10.1.0.3]:2222" "[store.home.vpn]:2222" ];
  };
  missingUserKey = {
    expr = authorized "store" "root" [ { ssh.access.mirror.from.nodes = [ "other" ]; } ];
    expected = "fails";
  };
  missingHostKey = {
    expr = known "web" [ { ssh.access.mirror.to.nodes = [ "other" ]; } ];
    expected = "fails";
  };
  unknownNode = {
    expr = known "web" [ { ssh.access.mirror.to.nodes = [ "stroe" ]; } ];
    expected = "fails";
  };
  othersAreNotEvaluated = {
    expr = authorized "store" "root" [ { nodes.web.configuration = boom; nodes.other.configuration = boom; } ];
    expected = [ web ];
  };
  exampleAuthorizes = {
    expr = lib.hasPrefix "restrict,command=\"internal-sftp\" ssh-ed25519 AAAA" (lib.head inExample.nodes.store.config.users.users.mirror.openssh.authorizedKeys.keys);
    expected = true;
  };
  exampleKnows = {
    expr = let h = inExample.nodes.web.config.programs.ssh.knownHosts.store; in [ h.hostNames "store ${h.publicKey}" ];
    expected = [ [ "store" "store.example.org" ] (lib.head (lib.splitString "\n" (builtins.readFile ../../examples/ssh/known_hosts))) ];
  };
}
