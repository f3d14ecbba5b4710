# dns.zones: zones of all that nodes declare, on the nodes that serve them.
{ lib, configOf, boom, example, ... }:
let
  base = {
    nodes = {
      ns1.deploy.host = "192.0.2.1";
      ns2.deploy.host = "ns2.example.net";
      web.deploy.host = "192.0.2.11";
    };
    dns.zones."example.org".servers = [ "ns1" ];
  };
  nsd = name: modules: (configOf name ([ base ] ++ modules)).services.nsd;
  linesOf = name: zone: modules: lib.splitString "\n" (lib.removeSuffix "\n" (nsd name modules).zones."${zone}.".data);
  records = modules: lib.drop 4 (linesOf "ns1" "example.org" modules);
  declare = records: { nodes.web.dns = { inherit records; }; };
in
{
  head = {
    expr = linesOf "ns1" "example.org" [ { dns.zones."example.org" = { ttl = 60; serial = 7; email = "ada@example.net"; }; } ];
    expected = [
      "$TTL 60"
      "example.org. IN SOA ns1.example.org. ada.example.net. 7 3600 600 604800 60"
      "example.org. IN NS ns1.example.org."
      "ns1.example.org. IN A 192.0.2.1"
    ];
  };
  nodesDeclare = {
    expr = records [ (declare [ { name = "www.example.org"; value = "192.0.2.11"; } { name = "example.org"; type = "MX"; value = "10 web.example.org."; ttl = 300; } ]) ];
    expected = [ "www.example.org. IN A 192.0.2.11" "example.org. 300 IN MX 10 web.example.org." ];
  };
  zonesHaveRecords = {
    expr = records [ { dns.zones."example.org".records = [ { name = "example.org"; type = "TXT"; value = "say \"a\\b\""; } ]; } ];
    expected = [ "example.org. IN TXT \"say \\\"a\\\\b\\\"\"" ];
  };
  longText = {
    expr = map lib.stringLength (lib.splitString " " (lib.head (records [ { dns.zones."example.org".records = [ { name = "k.example.org"; type = "TXT"; value = lib.concatStrings (builtins.genList (_: "x") 300); } ]; } ])));
    expected = [ 14 2 3 257 47 ];
  };
  mailbox = {
    expr = lib.elemAt (lib.splitString " " (lib.elemAt (linesOf "ns1" "example.org" [ { dns.zones."example.org".email = "ada.l@example.net"; } ]) 1)) 4;
    expected = "ada\\.l.example.net.";
  };
  nodesHaveNames = {
    expr = records [ { dns.zones."example.org".nodes = true; hosts.addresses.web = [ "192.0.2.11" "fd00::11" ]; } ];
    expected = [ "web.example.org. IN A 192.0.2.11" "web.example.org. IN AAAA fd00::11" ];
  };
  longestZone = {
    expr =
      let
        modules = [ { dns.zones."sub.example.org".servers = [ "ns1" ]; } (declare [ { name = "a.sub.example.org"; value = "192.0.2.3"; } { name = "asub.example.org"; value = "192.0.2.4"; } ]) ];
      in
      [ (records modules) (lib.drop 4 (linesOf "ns1" "sub.example.org" modules)) ];
    expected = [ [ "asub.example.org. IN A 192.0.2.4" ] [ "a.sub.example.org. IN A 192.0.2.3" ] ];
  };
  severalServers = {
    expr = map (n: lib.take 4 (lib.drop 2 (linesOf n "example.org" [ { dns.zones."example.org".servers = [ "ns2" ]; hosts.addresses.ns2 = [ "fd00::2" ]; } ]))) [ "ns1" "ns2" ];
    expected = let both = [ "example.org. IN NS ns1.example.org." "ns1.example.org. IN A 192.0.2.1" "example.org. IN NS ns2.example.org." "ns2.example.org. IN AAAA fd00::2" ]; in [ both both ];
  };
  firewallOfServers = {
    expr = map (n: let c = configOf n [ base ]; in [ c.services.nsd.enable (lib.elem 53 c.networking.firewall.allowedUDPPorts) (lib.elem 53 c.networking.firewall.allowedTCPPorts) ]) [ "ns1" "web" ];
    expected = [ [ true true true ] [ false false false ] ];
  };
  noConfigurationIsEvaluated = {
    expr = lib.head (linesOf "ns1" "example.org" [ { nodes.web.configuration = boom; nodes.ns2.configuration = boom; } ]);
    expected = "$TTL 3600";
  };
  recordOfNoZone = {
    expr = records [ (declare [ { name = "www.example.com"; value = "192.0.2.11"; } ]) ];
    expected = "fails";
  };
  serverWithoutAddress = {
    expr = linesOf "ns2" "example.org" [ { dns.zones."example.org".servers = [ "ns2" ]; } ];
    expected = "fails";
  };
  nameWithDotAtItsEnd = {
    expr = records [ (declare [ { name = "www.example.org."; value = "192.0.2.11"; } ]) ];
    expected = "fails";
  };
  inExample = {
    expr = (example "dns").nodes.ns2.config.services.nsd.zones."example.org.".data;
    expected = ''
      $TTL 3600
      example.org. IN SOA ns1.example.org. hostmaster.example.org. 1 3600 600 604800 3600
      example.org. IN NS ns1.example.org.
      ns1.example.org. IN A 192.0.2.1
      example.org. IN NS ns2.example.org.
      ns2.example.org. IN A 192.0.2.2
      example.org. IN TXT "v=spf1 -all"
      www.example.org. IN A 192.0.2.11
    '';
  };
}
