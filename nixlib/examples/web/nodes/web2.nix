{
  deploy.host = "192.0.2.12";
  deploy.tags = [ "server" ];
  configuration.environment.etc."motd".text = "The second one.\n";
}
