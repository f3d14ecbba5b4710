# vpn.networks: who has which address and which peers.
{
  lib,
  configOf,
  network,
  settings,
  boom,
  example,
  fails,
  key,
  ...
}:
let
  subnets = [ "10.10.0.0/16" "fd42:10:10::/64" ];

  # A network of these members, whose keys are in place.
  vpn =
    members: more:
    {
      nodes = lib.mapAttrs (name: _: { deploy.host = lib.mkDefault "${name}.example.org"; }) members;
      vpn.networks.home = {
        inherit subnets;
        nodes = lib.mapAttrs (name: settings: { publicKey = key (lib.substring 0 1 name); } // settings) members;
      } // more;
    };
  three = more: vpn { a = { }; b = { }; c = { }; } more;
  interfaceOf = name: module: (configOf name [ module ]).networking.wireguard.interfaces.home;
  peersOf = name: module: map (p: { inherit (p) publicKey allowedIPs endpoint persistentKeepalive; }) (interfaceOf name module).peers;
  ipsOf = module: lib.mapAttrs (_: n: n.ips) (settings [ module ]).vpn.networks.home.nodes;

  a4 = "10.10.165.170"; a6 = "fd42:10:10:0:ca:9781:12ca:1bbe";
  b4 = "10.10.246.234"; b6 = "fd42:10:10:0:3e:23e8:1600:395a";
  c4 = "10.10.77.241"; c6 = "fd42:10:10:0:2e:7d2c:3a9:507b";

  # --- stability: many names, many sets of them

  crowd = map (n: "node${toString n}") (lib.range 1 200);
  # A set of nodes: those of the crowd whose number leaves no rest, and so on.
  every = n: start: lib.filter (name: lib.any (m: name == "node${toString m}") (builtins.genList (i: start + i * n) (200 / n))) crowd;
  members = names: lib.genAttrs names (_: { });
  whole = ipsOf (vpn (members (crowd ++ [ "older" ])) { });
  stable = names: let some = ipsOf (vpn (members names) { }); in some == builtins.intersectAttrs some whole;
in
{
  addressesFollowFromNames = {
    expr = ipsOf (three { });
    expected = { a = [ a4 a6 ]; b = [ b4 b6 ]; c = [ c4 c6 ]; };
  };
  addressesStayWhenNodesGo = {
    expr = lib.all stable ([ [ "node7" ] [ ] (lib.take 100 crowd) (lib.drop 100 crowd) ] ++ lib.concatMap (n: [ (every n 1) (every n 2) ]) [ 2 3 5 7 ]);
    expected = true;
  };
  addressesStayWhenEachNodeGoes = {
    expr = lib.all (gone: stable (lib.remove gone (lib.take 30 crowd))) (lib.take 30 crowd);
    expected = true;
  };
  # Where many names lead to one address: whoever is gone, nobody takes its place.
  addressesStayInACrowdedSubnet = {
    expr =
      let
        crowded = names: ipsOf (vpn (members names) { subnets = [ "10.9.0.0/25" ]; });
        all = crowded crowd;
        some = crowded (every 2 1);
      in
      [ (some == builtins.intersectAttrs some all) (lib.length (lib.unique (lib.attrValues all)) < 120) ];
    expected = [ true true ];
  };
  addressesStayWhenNodesCome = {
    expr = (ipsOf (vpn (members (crowd ++ [ "new" "aaa" "zzz" ])) { })).node42;
    expected = whole.node42;
  };
  addressesStayWhenAnotherIsChosen = {
    expr = removeAttrs (ipsOf (vpn (members crowd // { node7.addresses = [ "10.10.0.7" ]; }) { })) [ "node7" ] == removeAttrs whole [ "node7" "older" ];
    expected = true;
  };
  addressesStayWhenASubnetIsAdded = {
    expr = map lib.head (lib.attrValues (ipsOf (three { subnets = [ "10.10.0.0/16" ]; })));
    expected = [ a4 b4 c4 ];
  };
  addressMayBeChosen = {
    expr = (ipsOf (vpn { a.addresses = [ "10.10.0.1" ]; } { })).a;
    expected = [ "10.10.0.1" a6 ];
  };
  chosenAddressIsCanonical = {
    expr = lib.last (ipsOf (vpn { a.addresses = [ "FD42:0010:10:0:0::1" ]; } { })).a;
    expected = "fd42:10:10::1";
  };
  sameAddressIsRefused = {
    expr = interfaceOf "c" (vpn { a = { }; b.addresses = [ a4 ]; c = { }; } { });
    expected = "fails";
  };
  addressElsewhereIsRefused = {
    expr = ipsOf (vpn { a.addresses = [ "192.0.2.1" ]; } { });
    expected = "fails";
  };

  # --- a mesh

  meshAddresses = {
    expr = (interfaceOf "a" (three { })).ips;
    expected = [ "${a4}/16" "${a6}/64" ];
  };
  meshPeers = {
    expr = peersOf "a" (three { });
    expected = [
      { publicKey = key "b"; allowedIPs = [ "${b4}/32" "${b6}/128" ]; endpoint = "b.example.org:51820"; persistentKeepalive = null; }
      { publicKey = key "c"; allowedIPs = [ "${c4}/32" "${c6}/128" ]; endpoint = "c.example.org:51820"; persistentKeepalive = null; }
    ];
  };
  meshBehindNat = {
    expr = map (p: [ p.endpoint p.persistentKeepalive ]) (
      peersOf "a" (vpn { a.endpoint = null; b.port = 443; c.endpoint = "fd00::3"; } { })
    );
    expected = [ [ "b.example.org:443" 25 ] [ "[fd00::3]:51820" 25 ] ];
  };
  meshListens = {
    expr = let m = vpn { a.endpoint = null; b = { }; } { port = 1234; }; in map (n: (interfaceOf n m).listenPort) [ "a" "b" ];
    expected = [ null 1234 ];
  };
  strangersAreMentioned = {
    expr = lib.filter (w: lib.hasPrefix "vpn" w) (configOf "a" [ (vpn { a.endpoint = null; b.endpoint = null; c = { }; } { }) ]).warnings;
    expected = [ "vpn.networks.home: neither a nor b has an endpoint, so they cannot reach each other: give one of them an endpoint, or the network a server." ];
  };

  # --- a server and clients

  serverPeers = {
    expr = map (p: [ p.allowedIPs p.endpoint ]) (peersOf "a" (three { server = "a"; }));
    expected = [ [ [ "${b4}/32" "${b6}/128" ] null ] [ [ "${c4}/32" "${c6}/128" ] null ] ];
  };
  clientPeers = {
    expr = peersOf "b" (three { server = "a"; });
    expected = [ { publicKey = key "a"; allowedIPs = subnets; endpoint = "a.example.org:51820"; persistentKeepalive = 25; } ];
  };
  serverForwards = {
    expr =
      let
        forwarding = name: let s = (configOf name [ (three { server = "a"; }) ]).boot.kernel.sysctl or { }; in
          map (f: s."net.${f}.conf.all.forwarding" or false) [ "ipv4" "ipv6" ];
      in
      [ (forwarding "a") (forwarding "b") ];
    expected = [ [ true true ] [ false false ] ];
  };
  forwardsOnlyWhatThereIs = {
    expr = (configOf "a" [ (three { server = "a"; subnets = [ "10.10.0.0/16" ]; }) ]).boot.kernel.sysctl."net.ipv6.conf.all.forwarding" or false;
    expected = false;
  };
  routesGoThroughTheServer = {
    expr =
      let
        m = vpn { a = { }; b.routes = [ "192.168.1.0/24" ]; c = { }; } { server = "a"; };
      in
      map (n: lib.concatMap (p: p.allowedIPs) (peersOf n m)) [ "a" "b" "c" ];
    expected = [
      [ "${b4}/32" "${b6}/128" "192.168.1.0/24" "${c4}/32" "${c6}/128" ]
      subnets
      (subnets ++ [ "192.168.1.0/24" ])
    ];
  };
  routesOfAMesh = {
    expr = lib.concatMap (p: p.allowedIPs) (peersOf "b" (vpn { a.routes = [ "192.168.1.0/24" ]; b = { }; } { }));
    expected = [ "${a4}/32" "${a6}/128" "192.168.1.0/24" ];
  };

  # --- around it

  keysByReference = {
    expr = let i = interfaceOf "a" (vpn { a = { privateKeyFile = "/run/secrets/wg"; generateKey = false; }; } { }); in [ i.privateKeyFile i.generatePrivateKeyFile ];
    expected = [ "/run/secrets/wg" false ];
  };
  keysByDefault = {
    expr = let i = interfaceOf "a" (three { }); in [ i.privateKeyFile i.generatePrivateKeyFile ];
    expected = [ "/var/lib/wireguard/home.key" true ];
  };
  keysInTheRepository = {
    expr = (settings [ (vpn { } { keys = ../../examples/vpn/vpn/home; nodes.laptop = { }; }) ]).vpn.networks.home.nodes.laptop.publicKey;
    expected = "JnWO6iYSEdLLWqiX1NANSMz9k4M0VUKn8jZl+34fk2o=";
  };
  missingKeyIsRefused = {
    expr = peersOf "b" (vpn { b = { }; } { keys = ./.; nodes.b.publicKey = key "b"; nodes.laptop = { }; });
    expected = "fails";
  };
  # Its own key is the others' business: a new node can be deployed before it is known.
  ownKeyIsNotNeeded = {
    expr = lib.length (peersOf "laptop" { nodes = { a = { }; laptop = { }; }; vpn.networks.home = { inherit subnets; nodes = { a.publicKey = key "a"; laptop = { }; }; }; });
    expected = 1;
  };
  names = {
    expr = let hosts = (configOf "a" [ (three { subnets = [ "10.10.0.0/16" ]; domain = "lan"; }) ]).networking.hosts; in map (i: hosts.${i}) [ a4 b4 c4 ];
    expected = [ [ "a.lan" ] [ "b.lan" ] [ "c.lan" ] ];
  };
  noNames = {
    expr = (configOf "a" [ (three { domain = null; }) ]).networking.hosts ? ${a4};
    expected = false;
  };
  firewall = {
    expr = map (n: let f = (configOf n [ (three { server = "a"; trusted = true; }) ]).networking.firewall; in [ f.allowedUDPPorts (lib.elem "home" f.trustedInterfaces) ]) [ "a" "b" ];
    expected = [ [ [ 51820 ] true ] [ [ ] true ] ];
  };
  firewallStaysShut = {
    expr = let f = (configOf "a" [ (three { openFirewall = false; }) ]).networking.firewall; in [ f.allowedUDPPorts (lib.elem "home" f.trustedInterfaces) ];
    expected = [ [ ] false ];
  };
  twoNetworks = {
    expr =
      let
        two = (configOf "a" [ (three { }) { vpn.networks.work = { subnets = [ "10.20.0.0/16" ]; port = 51821; nodes = { a.publicKey = key "A"; c.publicKey = key "C"; }; }; } ]);
      in
      [ (lib.mapAttrs (_: i: [ (lib.head i.ips) i.listenPort (lib.length i.peers) ]) two.networking.wireguard.interfaces) (lib.filter (a: !a.assertion) two.assertions) ];
    expected = [ { home = [ "${a4}/16" 51820 2 ]; work = [ "10.20.165.170/16" 51821 1 ]; } [ ] ];
  };
  othersHaveNothingOfIt = {
    expr = (configOf "d" [ (three { }) { nodes.d = { }; } ]).networking.wireguard.interfaces;
    expected = { };
  };
  othersAreNotEvaluated = {
    expr = lib.length (peersOf "a" (three { } // { defaults.configuration = { name, ... }: if name == "a" then { } else boom; }));
    expected = 2;
  };
  membersMustBeNodes = {
    expr = peersOf "a" { nodes.a = { }; vpn.networks.home = { inherit subnets; nodes.a = { }; nodes.typo.publicKey = key "t"; }; };
    expected = "fails";
  };
  membersAreNoNewNodes = {
    expr = lib.attrNames (network [ { nodes.a = { }; vpn.networks.home = { inherit subnets; nodes.typo = { }; }; } ]).manifest.nodes;
    expected = [ "a" ];
  };
  tinySubnetIsRefused = {
    expr = fails (ipsOf (three { subnets = [ "10.0.0.0/31" ]; })) && fails (ipsOf (three { subnets = [ "10.0.0.1/24" ]; }));
    expected = true;
  };

  exampleServer = {
    expr = map (p: p.allowedIPs) (example "vpn").nodes.gateway.config.networking.wireguard.interfaces.home.peers;
    expected = [ [ "10.10.229.228/32" "fd42:10:10:0:5e:ec0d:c419:aa84/128" ] [ "10.10.0.2/32" "fd42:10:10:0:4:7de0:f543:c7e4/128" "192.168.1.0/24" ] ];
  };
}
