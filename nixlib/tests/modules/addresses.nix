# Addresses as text and as numbers, and which a name leads to.
{ lib, ... }:
let
  ip = import ../../lib/ip.nix { inherit lib; };
  subnet = ip.parseSubnet;
  read = text: if ip.isAddress text then ip.canonical text else "none";
  names = map (n: "node-${toString n}") (lib.range 1 1000);
  addressesIn = text: map (name: ip.nth (subnet text) (ip.numberOf (subnet text) name)) names;
in
{
  v4 = {
    expr = map read [ "1.2.3.4" "0.0.0.0" "255.255.255.255" "256.1.1.1" "1.2.3" "1.2.3.4.5" "01.2.3.4" "1.2.3.x" "" ];
    expected = [ "1.2.3.4" "0.0.0.0" "255.255.255.255" "none" "none" "none" "none" "none" "none" ];
  };
  v6 = {
    expr = map read [ "::" "::1" "fd00::" "FD42:1:0:0:12:3456:789a:BCDE" "fe80:0:0:0:1:0:0:1" "1:2:3:4:5:6:7::" ];
    expected = [ "::" "::1" "fd00::" "fd42:1::12:3456:789a:bcde" "fe80::1:0:0:1" "1:2:3:4:5:6:7:0" ];
  };
  v6Wrong = {
    expr = map read [ "1:2:3:4:5:6:7:8:9" "1::2::3" "1:2:3:4:5:6:7" "gg::" "12345::" ":" "1:2:3:4::5:6:7:8" ];
    expected = builtins.genList (_: "none") 7;
  };
  subnets = {
    expr = map ip.isSubnet [ "10.0.0.0/8" "192.168.1.128/25" "0.0.0.0/0" "fd00::/64" "fd00:0:0:8000::/49" "10.0.0.1/32" ];
    expected = [ true true true true true true ];
  };
  subnetsWrong = {
    expr = map ip.isSubnet [ "10.0.0.1/8" "192.168.1.128/24" "fd00::1/64" "10.0.0.0/33" "fd00::/129" "10.0.0.0" "10.0.0.0/08" "10.0.0.0/" ];
    expected = builtins.genList (_: false) 8;
  };
  containing = {
    expr = map (a: ip.contains (subnet "10.1.0.0/20") (ip.parse a)) [ "10.1.0.0" "10.1.15.255" "10.1.16.0" "10.0.15.1" "fd00::" ];
    expected = [ true true false false false ];
  };
  numbers = {
    expr = lib.concatMap (s: map (n: ip.show (ip.nth (subnet s) n)) [ 1 256 70000 ]) [ "10.0.0.0/8" "fd42:7::/32" ];
    expected = [ "10.0.0.1" "10.0.1.0" "10.1.17.112" "fd42:7::1" "fd42:7::100" "fd42:7::1:1170" ];
  };

  # Every name has an address inside, never that of the subnet or broadcast.
  insideOfSmallSubnets = {
    expr = lib.unique (map (a: ip.show a) (addressesIn "192.0.2.4/30"));
    expected = [ "192.0.2.5" "192.0.2.6" ];
  };
  insideOfAnySubnet = {
    expr = lib.all (s: lib.all (ip.contains (subnet s)) (addressesIn s)) [ "10.0.0.0/8" "10.10.0.0/16" "10.20.30.128/26" "fd42::/48" "fd42:0:0:1::/64" "fd42::8000:0/113" ];
    expected = true;
  };
  neverTheEdges = {
    expr = lib.any (a: lib.elem (ip.show a) [ "10.20.30.128" "10.20.30.191" ]) (addressesIn "10.20.30.128/26");
    expected = false;
  };
  differentInLargeSubnets = {
    expr = lib.length (lib.unique (map ip.show (addressesIn "fd42::/64")));
    expected = 1000;
  };
  spreadOverTheSubnet = {
    # All 62 hosts of a /26 are somebody's among 1000 names.
    expr = lib.length (lib.unique (map ip.show (addressesIn "10.20.30.128/26")));
    expected = 62;
  };
  endpoints = {
    expr = [ (ip.withPort "a.example.org" 1) (ip.withPort "192.0.2.1" 1) (ip.withPort "fd00::1" 1) ];
    expected = [ "a.example.org:1" "192.0.2.1:1" "[fd00::1]:1" ];
  };
}
