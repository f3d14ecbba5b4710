# WireGuard, with the options and units of NixOS as far as networks of nodes
# need them. Where the kernel has no WireGuard, the program wireguard-go of the
# host does its work.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib)
    concatMap
    concatMapStrings
    concatStringsSep
    listToAttrs
    mapAttrsToList
    mkOption
    optionalString
    types
    ;
  cfg = config.networking.wireguard;
  path = [
    pkgs.iproute2
    pkgs.wireguard-tools
  ];

  peer = { config, ... }: {
    options = {
      name = mkOption {
        type = types.str;
        default = builtins.replaceStrings [ "/" "+" "=" ] [ "-" "_" "" ] config.publicKey;
        defaultText = "the public key";
        example = "bernd";
        description = "Name used to derive the peer's unit name.";
      };
      publicKey = mkOption {
        type = types.singleLineStr;
        example = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
        description = "The base64 public key of the peer.";
      };
      allowedIPs = mkOption {
        type = types.listOf types.str;
        example = [ "10.192.122.3/32" ];
        description = "Addresses from which the peer may send, and which are routed to it.";
      };
      endpoint = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "demo.wireguard.io:12913";
        description = "Address of the peer, followed by a colon and its port.";
      };
      persistentKeepalive = mkOption {
        type = types.nullOr types.int;
        default = null;
        example = 25;
        description = "Seconds between packets that keep the way to the peer open.";
      };
    };
  };

  interface.options = {
    ips = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "192.168.2.1/24" ];
      description = "The addresses of the interface.";
    };
    privateKeyFile = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "/private/wireguard_key";
      description = "File with the private key.";
    };
    generatePrivateKeyFile = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = "Whether to make the private key where its file is missing.";
    };
    listenPort = mkOption {
      type = types.nullOr types.int;
      default = null;
      example = 51820;
      description = "Port to listen on; `null`: any.";
    };
    allowedIPsAsRoutes = mkOption {
      type = types.bool;
      default = true;
      example = false;
      description = "Whether the addresses of peers become routes.";
    };
    peers = mkOption {
      type = types.listOf (types.submodule peer);
      default = [ ];
      description = "Peers of the interface.";
    };
  };

  oneshot = {
    Type = "oneshot";
    RemainAfterExit = true;
  };

  # The unit of an interface, its key's and its peers'.
  unit = name: "wireguard-${name}";

  keyUnit = name: values: {
    name = "${unit name}-key";
    value = {
      inherit path;
      description = "WireGuard Tunnel - ${name} - Key Generator";
      wantedBy = [ "${unit name}.service" ];
      before = [ "${unit name}.service" ];
      serviceConfig = oneshot;
      script = ''
        mkdir -p ${dirOf values.privateKeyFile}
        [ -f ${values.privateKeyFile} ] || (umask 077; wg genkey > ${values.privateKeyFile})
      '';
    };
  };

  keyUnits = name: values: lib.optional values.generatePrivateKeyFile "${unit name}-key.service";

  setUp = name: values: ''
    ip link add dev ${name} type wireguard 2>/dev/null || wireguard-go ${name}
    ${concatMapStrings (ip: "ip address add ${ip} dev ${name}\n") values.ips}wg set ${name} private-key ${values.privateKeyFile}${
      optionalString (values.listenPort != null) " listen-port ${toString values.listenPort}"
    }
    ip link set up dev ${name}
  '';

  interfaceUnit = name: values: {
    name = unit name;
    value = {
      inherit path;
      description = "WireGuard Tunnel - ${name}";
      wantedBy = [ "multi-user.target" ];
      requires = keyUnits name values;
      after = [ "network-pre.target" ] ++ keyUnits name values;
      serviceConfig = oneshot // {
        # The link may be gone already, and the daemon goes with its link.
        ExecStopPost = "-/bin/sh -c 'ip link del dev ${name}'";
      };
      script = setUp name values;
    };
  };

  peerUnit =
    name: values: peer:
    let
      set = [
        "wg set ${name} peer ${peer.publicKey}"
      ]
      ++ lib.optional (peer.endpoint != null) "endpoint ${peer.endpoint}"
      ++ lib.optional (peer.persistentKeepalive != null) "persistent-keepalive ${toString peer.persistentKeepalive}"
      ++ lib.optional (peer.allowedIPs != [ ]) "allowed-ips ${concatStringsSep "," peer.allowedIPs}";
      routes = verb: concatMapStrings (ip: "ip route ${verb} ${ip} dev ${name}\n") (
        if values.allowedIPsAsRoutes then peer.allowedIPs else [ ]
      );
    in
    {
      name = "${unit name}-peer-${peer.name}";
      value = {
        inherit path;
        description = "WireGuard Peer - ${name} - ${peer.name}";
        requires = [ "${unit name}.service" ];
        after = [ "${unit name}.service" ];
        wantedBy = [ "${unit name}.service" ];
        # An interface that is made anew has no peers.
        restartTriggers = [ (builtins.hashString "sha256" (setUp name values)) ];
        serviceConfig = oneshot // {
          ExecStopPost = "-/bin/sh ${
            pkgs.writeText "wireguard-${name}-peer-stop" "wg set ${name} peer ${peer.publicKey} remove\n${routes "delete"}"
          }";
        };
        script = "${concatStringsSep " " set}\n${routes "replace"}";
      };
    };
in
{
  options.networking.wireguard.interfaces = mkOption {
    type = types.attrsOf (types.submodule interface);
    default = { };
    example.wg0.ips = [ "192.168.20.4/24" ];
    description = "WireGuard interfaces.";
  };

  config = {
    assertions = mapAttrsToList (name: values: {
      assertion = values.privateKeyFile != null;
      message = "networking.wireguard.interfaces.${name}.privateKeyFile must be set.";
    }) cfg.interfaces;

    systemd.services = listToAttrs (
      concatMap (x: x) (
        mapAttrsToList (
          name: values:
          [ (interfaceUnit name values) ]
          ++ lib.optional values.generatePrivateKeyFile (keyUnit name values)
          ++ map (peerUnit name values) values.peers
        ) cfg.interfaces
      )
    );
  };
}
