{
  deploy = {
    host = "192.0.2.1";
    port = 2222;
    timeouts.confirm = 120;
  };
  configuration = ./configuration.nix;
}
