# The examples do what they say.
{ }:
let
  example = name: import ../cli.nix { dir = toString ../examples + "/${name}"; };
  web = example "web";
in
{
  minimal = {
    expr = (example "minimal").manifest.nodes.web.host;
    expected = "web.example.org";
  };
  webNodes = {
    expr = builtins.mapAttrs (_: n: [ n.host n.port n.timeouts.confirm ]) web.manifest.nodes;
    expected = {
      gateway = [ "192.0.2.1" 2222 120 ];
      web1 = [ "192.0.2.11" 0 60 ];
      web2 = [ "192.0.2.12" 0 60 ];
    };
  };
  webGatewayKnowsBackends = {
    expr = web.nodes.gateway.config.environment.etc.upstreams.text;
    expected = "server web1:8080\nserver web2:8080\n";
  };
  webDefaults = {
    expr = web.nodes.web2.config.environment.etc.issue.text;
    expected = "web2 of the network web\n";
  };
}
