{ environment.etc.motd.text = "from its own file"; }
