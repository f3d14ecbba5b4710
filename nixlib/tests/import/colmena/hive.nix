# A hive as colmena's manual shows them: settings of the hive, defaults, a node
# that refers to another, and one with an address of its own.
{
  meta = {
    name = "my-hive";
    nixpkgs = MINI;
    specialArgs.motto = "hello";
    allowApplyAll = false;
  };

  defaults =
    { lib, ... }:
    {
      environment.etc.hive.text = "one hive";
      deployment.replaceUnknownProfiles = lib.mkDefault true;
    };

  host-a =
    { name, nodes, ... }:
    {
      deployment.tags = [ "web" ];
      deployment.buildOnTarget = true;
      networking.hostName = name;
      environment.etc.other.text = nodes.host-b.config.environment.etc.zone.text;
    };

  host-b =
    { motto, ... }:
    {
      deployment = {
        targetHost = "somehost.example.org";
        targetPort = 1234;
        targetUser = "luser";
        keys."secret".keyCommand = [ "pass" ];
        sshOptions = [ "-C" ];
      };
      environment.etc.zone.text = "America/Los_Angeles, ${motto}";
    };

  local = {
    deployment = {
      targetHost = null;
      allowLocalDeployment = true;
    };
  };
}
