{
  deploy.host = "192.0.2.11";
  deploy.tags = [ "server" ];
}
