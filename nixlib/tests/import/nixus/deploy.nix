# A network as the example of nixus shows it: nodes say their nixpkgs, and an
# argument for modules is put into the type of their configurations.
{ config, lib, ... }:
{
  options.defaults = lib.mkOption {
    type = lib.types.submodule {
      options.configuration = lib.mkOption {
        type = lib.types.submoduleWith {
          specialArgs.unstable = MINI;
          modules = [ ];
        };
      };
    };
  };

  config.deployHost = "laptop";
  config.defaults =
    { lib, name, ... }:
    {
      configuration = {
        networking.hostName = lib.mkDefault name;
      };
      nixpkgs = lib.mkDefault MINI;
    };

  config.nodes.foo =
    { lib, config, ... }:
    {
      host = "root@172.20.83.114";
      switchTimeout = 120;
      ignoreFailingSystemdUnits = true;
      hasFastConnection = true;
      closurePaths.more = "/nix/store/more";
      preparationPhases.first = "true";
      postDeployScript = "true";
      configuration = ./configuration.nix;
    };

  config.nodes.bar = {
    host = "bar.example.org";
    configuration = ./configuration.nix;
  };
}
