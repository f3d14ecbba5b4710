# The part of zones in the configurations of the nodes that serve them.
{
  lib,
  lookup,
  network,
}:
{ name, ... }:
let
  inherit (builtins) attrNames replaceStrings;
  inherit (lib)
    concatMap
    concatStrings
    concatStringsSep
    elem
    filter
    filterAttrs
    foldl
    hasSuffix
    mapAttrs'
    stringLength
    substring
    ;
  zones = network.dns.zones;
  ip = import ../../lib/ip.nix { inherit lib; };
  reach = import ../../lib/reach.nix { inherit lib lookup network; };

  inZone = zone: record: record.name == zone || hasSuffix ".${zone}" record.name;

  # The zone of a record that a node declares: the longest that fits.
  zoneOf =
    node: record:
    let
      fitting = filter (zone: inZone zone record) (attrNames zones);
    in
    if fitting == [ ] then
      throw "nodes.${node}.dns.records: ${record.name} is in no zone of dns.zones (there are: ${concatStringsSep ", " (attrNames zones)})"
    else
      foldl (a: b: if stringLength b > stringLength a then b else a) "" fitting;

  declared = concatMap (
    node:
    map (record: {
      inherit record;
      zone = zoneOf node record;
    }) network.nodes.${node}.dns.records
  ) (attrNames network.nodes);

  # Records of a node's addresses.
  addressRecords =
    owner:
    map (address: {
      name = owner;
      type = if (ip.parse address).width == 8 then "A" else "AAAA";
      value = address;
      ttl = null;
    });

  serverRecords =
    zone: server:
    let
      ips = reach.ips server;
    in
    if ips == [ ] then
      throw "dns.zones.${zone}.servers: the address of ${server} is not known, and the zone must say it: set hosts.addresses.${server}"
    else
      [
        {
          name = zone;
          type = "NS";
          value = "${server}.${zone}.";
          ttl = null;
        }
      ]
      ++ addressRecords "${server}.${zone}" ips;

  # A text as strings of at most 255 bytes.
  quoted =
    text:
    let
      first = "\"${replaceStrings [ "\\" "\"" ] [ "\\\\" "\\\"" ] (substring 0 255 text)}\"";
    in
    if stringLength text > 255 then "${first} ${quoted (substring 255 (-1) text)}" else first;

  # An address of mail as zones have it: ada.l@a.org is ada\.l.a.org.
  mailbox =
    address:
    let
      parts = lib.splitString "@" address;
    in
    "${replaceStrings [ "." ] [ "\\." ] (lib.head parts)}.${lib.last parts}.";

  line =
    record:
    "${record.name}. ${if record.ttl == null then "" else "${toString record.ttl} "}IN ${record.type} ${
      if record.type == "TXT" then quoted record.value else record.value
    }\n";

  text =
    zone: settings:
    let
      servers = lookup.named "dns.zones.${zone}.servers" settings.servers;
      named = if settings.nodes then filter (n: !(elem n servers)) lookup.systems else [ ];
      records =
        concatMap (serverRecords zone) servers
        ++ concatMap (n: addressRecords "${n}.${zone}" (reach.ips n)) named
        ++ settings.records
        ++ map (d: d.record) (filter (d: d.zone == zone) declared);
      outside = filter (record: !(inZone zone record)) settings.records;
    in
    if outside != [ ] then
      throw "dns.zones.${zone}.records: ${(lib.head outside).name} is not in this zone"
    else
      ''
        $TTL ${toString settings.ttl}
        ${zone}. IN SOA ${lib.head servers}.${zone}. ${mailbox settings.email} ${toString settings.serial} 3600 600 604800 ${toString settings.ttl}
      ''
      + concatStrings (map line records);

  served = filterAttrs (_: zone: elem name zone.servers) zones;
in
lib.optionalAttrs (served != { }) {
  services.nsd = {
    enable = true;
    interfaces = [
      "0.0.0.0"
      "::"
    ];
    zones = mapAttrs' (zone: settings: {
      name = "${zone}.";
      value.data = text zone settings;
    }) served;
  };
  networking.firewall = {
    allowedTCPPorts = [ 53 ];
    allowedUDPPorts = [ 53 ];
  };
}
