# Addresses and subnets of IPv4 and IPv6, as text and as numbers.
#
# An address is a list of groups, the way it is written: four of 8 bits, or
# eight of 16.
{ lib }:
let
  inherit (builtins)
    all
    any
    elemAt
    filter
    fromJSON
    genList
    hashString
    head
    isString
    length
    match
    split
    stringLength
    substring
    ;
  inherit (lib)
    concatStringsSep
    concatMapStringsSep
    foldl
    range
    stringToCharacters
    take
    toLower
    ;

  mod = a: b: a - b * (a / b);
  imap0 = f: list: genList (i: f i (elemAt list i)) (length list);
  power = n: foldl (x: _: x * 2) 1 (range 1 n);
  words = separator: text: filter isString (split separator text);
  zeros = n: genList (_: 0) n;

  digits = stringToCharacters "0123456789abcdef";
  values = lib.listToAttrs (imap0 (value: name: { inherit name value; }) digits);
  fromHex = text: foldl (n: digit: n * 16 + values.${digit}) 0 (stringToCharacters (toLower text));
  toHex = n: (if n < 16 then "" else toHex (n / 16)) + elemAt digits (mod n 16);

  # How many bits of group number i belong to the first `prefix` of an address.
  bitsOf = address: prefix: i: lib.max 0 (lib.min address.width (prefix - i * address.width));

  parseV4 =
    text:
    let
      groups = map fromJSON (words "[.]" text);
    in
    if match "(0|[1-9][0-9]{0,2})([.](0|[1-9][0-9]{0,2})){3}" text == null || any (n: n > 255) groups then
      null
    else
      {
        inherit groups;
        width = 8;
      };

  parseV6 =
    text:
    let
      halves = words "::" text;
      groupsOf = half: if half == "" then [ ] else words ":" half;
      left = groupsOf (head halves);
      right = if length halves == 2 then groupsOf (elemAt halves 1) else [ ];
      missing = 8 - length left - length right;
      complete = if length halves == 2 then missing >= 1 else missing == 0;
      isGroup = group: match "[0-9a-fA-F]{1,4}" group != null;
    in
    if length halves > 2 || !complete || !(all isGroup (left ++ right)) then
      null
    else
      {
        groups = map fromHex left ++ zeros missing ++ map fromHex right;
        width = 16;
      };

  # The longest row of zeros is left out, as RFC 5952 has it.
  showV6 =
    groups:
    let
      text = concatMapStringsSep ":" toHex;
      isZero = start: n: all (i: elemAt groups i == 0) (range start (start + n - 1));
      rows = lib.concatMap (
        n: map (start: { inherit start n; }) (filter (start: isZero start n) (range 0 (8 - n)))
      ) (lib.reverseList (range 2 8));
      row = head rows;
    in
    if rows == [ ] then text groups else "${text (take row.start groups)}::${text (lib.drop (row.start + row.n) groups)}";
in
rec {
  # An address, or null if the text is none.
  parse = text: if match ".*:.*" text == null then parseV4 text else parseV6 text;
  show =
    address: if address.width == 8 then concatStringsSep "." (map toString address.groups) else showV6 address.groups;

  # An address in the one way to write it.
  canonical = text: show (parse text);
  isAddress = text: parse text != null;

  # Number of bits of all addresses of that kind.
  bits = address: address.width * length address.groups;

  # What the first `prefix` bits say; the others are zero.
  truncate =
    prefix: address:
    address
    // {
      groups = imap0 (
        i: group:
        let
          unit = power (address.width - bitsOf address prefix i);
        in
        group - mod group unit
      ) address.groups;
    };

  # A subnet, { address; prefix; }, or null if the text is none.
  parseSubnet =
    text:
    let
      parts = match "([^/]+)/([0-9]{1,3})" text;
      address = parse (head parts);
      prefix = fromJSON (elemAt parts 1);
    in
    if parts == null || address == null || match "0[0-9]+" (elemAt parts 1) != null then
      null
    else if prefix > bits address || truncate prefix address != address then
      null
    else
      { inherit address prefix; };
  isSubnet = text: parseSubnet text != null;

  # Whether an address belongs to a subnet.
  contains =
    subnet: address: address.width == subnet.address.width && truncate subnet.prefix address == subnet.address;

  # Host number n of a subnet.
  nth =
    subnet: n:
    let
      inherit (subnet.address) groups width;
      last = length groups - 1;
      # What of n stands in group i; beyond 62 bits there is nothing.
      part =
        i:
        let
          below = (last - i) * width;
        in
        if below > 62 then 0 else mod (n / power below) (power width);
    in
    subnet.address // { groups = imap0 (i: group: group + part i) groups; };

  # How many host numbers a subnet has for us: all but that of the subnet and
  # of the broadcast, and no more than fit a Nix integer easily.
  size = subnet: power (lib.min 56 (bits subnet.address - subnet.prefix)) - 2;

  # The host number that a name has in a subnet. It depends on nothing else.
  numberOf = subnet: name: 1 + mod (fromHex (substring 0 14 (hashString "sha256" name))) (size subnet);

  # An address with a port, as in URLs and endpoints.
  withPort = host: port: if match ".*:.*" host == null then "${host}:${toString port}" else "[${host}]:${toString port}";
}
