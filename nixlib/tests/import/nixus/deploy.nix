# A network as the example of nixus shows it.
{
  defaults =
    { lib, name, ... }:
    {
      configuration = {
        networking.hostName = lib.mkDefault name;
      };
      nixpkgs = lib.mkDefault MINI;
    };

  nodes.foo =
    { lib, config, ... }:
    {
      host = "root@172.20.83.114";
      switchTimeout = 120;
      ignoreFailingSystemdUnits = true;
      configuration = ./configuration.nix;
    };

  nodes.bar = {
    host = "bar.example.org";
    configuration = ./configuration.nix;
  };
}
