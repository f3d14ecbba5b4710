# What errors of the modules that come with nixlib say.
{
  lib,
  mkNetwork,
  nixpkgs,
}:
let
  network =
    module:
    mkNetwork {
      root = ../../examples/vpn;
      modules = [
        {
          network = { name = "test"; id = "1"; inherit nixpkgs; };
          defaults.nixpkgs = ../../mini;
        }
        module
      ];
    };
  # What a node is built of, with all assertions.
  bundle = module: (network module).nodes.web.bundle.text;
  # mini makes no users, and so reads no keys.
  keysOf = module: (network module).nodes.web.config.users.users.root.openssh.authorizedKeys.keys;

  key = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
  vpn =
    settings:
    bundle {
      nodes = { web = { }; db.deploy.host = "db.example.org"; };
      vpn.networks.home = {
        subnets = [ "10.10.0.0/16" ];
        nodes.web.publicKey = key;
      } // settings;
    };
in
{
  vpnUnknownNode = {
    case = vpn { nodes = { web = { }; wbe.publicKey = key; }; };
    wanted = [ "vpn.networks.home.nodes: there is no node wbe (nodes: db, web): add nodes.wbe to the network, or name one of these" ];
  };
  vpnUnknownServer = {
    case = vpn { server = "gateway"; };
    wanted = [ "vpn.networks.home.server is \"gateway\", which is not in vpn.networks.home.nodes (there are: web)" ];
  };
  vpnServerWithoutEndpoint = {
    case = vpn { server = "web"; nodes.web = { endpoint = null; publicKey = key; }; };
    wanted = [ "vpn.networks.home: its server web has no endpoint" "set vpn.networks.home.nodes.web.endpoint" ];
  };
  vpnMissingKey = {
    case = vpn { nodes = { web = { }; db = { }; }; };
    wanted = [
      "vpn.networks.home.nodes.db.publicKey: there is no public key of the node db, the file vpn/home/db.pub."
      "ssh root@db.example.org"
      "wg pubkey < /var/lib/wireguard/home.key' > vpn/home/db.pub"
    ];
  };
  vpnTwiceTheAddress = {
    case = vpn { nodes = { web.addresses = [ "10.10.0.9" ]; db = { publicKey = key; addresses = [ "10.10.0.9" ]; }; }; };
    wanted = [
      "vpn.networks.home: the nodes db and web have the same address 10.10.0.9. Give the newer one another"
      "vpn.networks.home.nodes.web.addresses = [ \"10.10.152.211\" ];"
    ];
  };
  vpnAddressElsewhere = {
    case = vpn { nodes.web.addresses = [ "192.0.2.1" ]; };
    wanted = [ "vpn.networks.home.nodes.web.addresses has 192.0.2.1, which is in none of the subnets 10.10.0.0/16" ];
  };
  vpnWrongSubnet = {
    case = vpn { subnets = [ "10.10.0.1/16" ]; };
    wanted = [ "`vpn.networks.home.subnets" "subnet such as 10.10.0.0/16" "\"10.10.0.1/16\"" ];
  };
  vpnWrongKey = {
    case = vpn { nodes = { web = { }; db.publicKey = "abc"; }; };
    wanted = [ "`vpn.networks.home.nodes.db.publicKey' is not of type `WireGuard public key'" "\"abc\"" ];
  };
  vpnSamePort = {
    case = bundle {
      nodes.web = { };
      vpn.networks = {
        home = { subnets = [ "10.10.0.0/16" ]; nodes.web = { }; };
        work = { subnets = [ "10.20.0.0/16" ]; nodes.web = { }; };
      };
    };
    wanted = [
      "node web: its configuration fails its own assertions:"
      "- vpn.networks: home and work both have the UDP port 51820 on the node web. Set another one: vpn.networks.work.port"
    ];
  };

  groupOfNobody = {
    case = bundle { nodes.web.deploy.tags = [ "server" ]; groups.sever = { }; };
    wanted = [ "- groups.sever is for nodes with the tag sever, and no node has it (there are: server): write nodes.<name>.deploy.tags = [ \"sever\" ]; for those that should" ];
  };
  hostsUnknownNode = {
    case = bundle { nodes.web = { }; hosts = { enable = true; aliases.wbe = [ "www" ]; }; };
    wanted = [ "hosts.aliases: there is no node wbe (nodes: web)" ];
  };
  hostsWrongAddress = {
    case = bundle { nodes.web = { }; hosts = { enable = true; addresses.web = [ "192.0.2" ]; }; };
    wanted = [ "A definition for option `hosts.addresses.web" "is not of type `IPv4 or IPv6 address'" "192.0.2" ];
  };
  dnsNoZone = {
    case = bundle { nodes.web = { deploy.host = "192.0.2.1"; dns.records = [ { name = "a.example.com"; value = "192.0.2.1"; } ]; }; dns.zones."example.org".servers = [ "web" ]; };
    wanted = [ "nodes.web.dns.records: a.example.com is in no zone of dns.zones (there are: example.org)" ];
  };
  dnsServerWithoutAddress = {
    case = bundle { nodes.web = { }; dns.zones."example.org".servers = [ "web" ]; };
    wanted = [ "dns.zones.example.org.servers: the address of web is not known, and the zone must say it: set hosts.addresses.web" ];
  };
  monitoringUnknownServer = {
    case = bundle { nodes.web = { }; nodes.monitor = { }; monitoring.server = "moniter"; };
    wanted = [ "monitoring.server: there is no node moniter (nodes: monitor, web): add nodes.moniter to the network, or name one of these" ];
  };
  monitoringTwoServers = {
    case = bundle { imports = [ { monitoring.server = "web"; } ]; nodes.web = { }; nodes.monitor = { }; monitoring.server = "monitor"; };
    wanted = [ "The option `monitoring.server' has conflicting definition" ];
  };
  monitoringUnknownNode = {
    case = bundle { nodes.web = { }; nodes.monitor = { }; monitoring = { server = "monitor"; exporters.node.nodes = [ "web" "wbe" ]; }; };
    wanted = [ "monitoring.exporters.node.nodes: there is no node wbe (nodes: monitor, web)" ];
  };
  monitoringNoSystem = {
    case = bundle { nodes.web = { }; nodes.home.profile.kind = "home-manager"; monitoring = { server = "web"; exporters.node.nodes = [ "home" ]; }; };
    wanted = [ "monitoring.exporters.node.nodes: home is no system of NixOS (its profile.kind is home-manager): name the node that is the machine's system" ];
  };
  monitoringUnknownVia = {
    case = bundle { nodes.web = { }; monitoring = { server = "web"; via = "hmoe"; }; vpn.networks.home.subnets = [ "10.1.0.0/16" ]; };
    wanted = [ "monitoring.via is \"hmoe\", and there is no private network of this name (vpn.networks: home)" ];
  };
  monitoringUnknownExporter = {
    case = bundle { nodes.web = { }; monitoring = { server = "web"; exporters.nod = { }; }; };
    wanted = [ "monitoring.exporters.nod: the nixpkgs of the node web has no such exporter: name one of services.prometheus.exporters" ];
  };
  monitoringUnknownPort = {
    case = bundle { nodes.web = { }; monitoring = { server = "web"; exporters.tor = { }; }; };
    wanted = [ "monitoring.exporters.tor.port is not set, and the port of this exporter is not known: set it" ];
  };
  monitoringTwoPorts = {
    case = bundle { nodes.web = { }; monitoring = { server = "web"; exporters.node.settings.port = 9101; }; };
    wanted = [ "monitoring.exporters.node.settings.port: set monitoring.exporters.node.port, which the server and the firewalls go by" ];
  };
  viaWithoutMembership = {
    case = bundle { nodes.web = { }; monitoring = { server = "web"; via = "home"; }; vpn.networks.home.subnets = [ "10.1.0.0/16" ]; };
    wanted = [ "monitoring.via is \"home\", and the node web does not belong to this private network: write vpn.networks.home.nodes.web = { };" ];
  };
  sshMissingUserKey = {
    case = keysOf { nodes = { web = { }; db.deploy.host = "db.example.org"; }; ssh.access.copy = { from.nodes = [ "db" ]; to.nodes = [ "web" ]; }; };
    wanted = [ "ssh.access.copy.from: there is no public key of root@db, the file ssh/root@db.pub." "ssh root@db.example.org" "ssh-keygen" "> ssh/root@db.pub" ];
  };
  sshToNobody = {
    case = keysOf { nodes = { web = { }; db = { }; }; ssh.access.copy.from.nodes = [ "db" ]; };
    wanted = [ "ssh.access.copy.to.nodes names no nodes: write those that let them in, as in ssh.access.copy.to.nodes = [ \"db\" ];" ];
  };
  sshMissingHostKey = {
    case = bundle { nodes = { web = { }; db = { }; }; ssh.access.copy = { from.nodes = [ "web" ]; to.nodes = [ "db" ]; }; };
    wanted = [ "ssh.access.copy.to: the host key of db is not known: `git deploy add` writes it to known_hosts; or set ssh.hostKeys.db" ];
  };
  backupsUnknownServer = {
    case = bundle { nodes.web = { }; backups.nightly = { server = "stroe"; clients = [ "web" ]; paths = [ "/a" ]; }; };
    wanted = [ "backups.nightly.server: there is no node stroe (nodes: web)" ];
  };
}
