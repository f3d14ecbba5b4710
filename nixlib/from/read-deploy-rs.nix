# A flake with the output `deploy` of deploy-rs. Its systems and packages stay
# in flake.nix; a file beside it makes a network of them.
{
  dir,
  lost,
  unknown,
  only,
  toFlake,
  ...
}:
let
  inherit (builtins)
    attrNames
    concatMap
    elemAt
    filter
    head
    length
    listToAttrs
    ;
  flake = builtins.getFlake "path:${dir}";
  deploy = flake.deploy or (throw "${dir}/flake.nix has no output deploy, so there is nothing of deploy-rs to import");
  systems = flake.nixosConfigurations or { };

  mentions =
    text: part:
    length (builtins.split (builtins.replaceStrings [ "+" "." ] [ "\\+" "\\." ] part) text) > 1;
  # The system that a profile activates: its derivation needs that of the system.
  systemOf =
    name: path:
    let
      drv = builtins.readFile path.drvPath;
      toplevel = n: builtins.unsafeDiscardStringContext systems.${n}.config.system.build.toplevel.drvPath;
      found = filter (n: mentions drv (toplevel n)) (attrNames systems);
    in
    if found != [ ] then
      head found
    else if systems ? ${name} then
      name
    else
      null;

  index =
    list: x:
    let
      found = filter (n: elemAt list n == x) (builtins.genList (n: n) (length list));
    in
    if found == [ ] then null else head found;

  # Port in ssh's options, as ssh reads them, and the rest of them.
  ssh =
    opts:
    let
      joined = builtins.match "-(p|o *[Pp]ort[ =]+)([0-9]+)" (head opts);
      apart = builtins.match "([Pp]ort[ =]+|)([0-9]+)" (elemAt opts 1);
      port =
        if joined != null then
          elemAt joined 1
        else if length opts > 1 && apart != null && head opts == (if head apart == "" then "-p" else "-o") then
          elemAt apart 1
        else
          null;
      more = ssh (if joined == null && port != null then builtins.tail (builtins.tail opts) else builtins.tail opts);
    in
    if opts == [ ] then
      { port = null; rest = [ ]; }
    else if port != null then
      more // { port = builtins.fromJSON port; }
    else
      more // { rest = [ (head opts) ] ++ more.rest; };

  ofProfile =
    node: profileName:
    let
      n = deploy.nodes.${node};
      # A profile's own settings count most, then those of the node.
      s = removeAttrs deploy [ "nodes" ] // removeAttrs n [ "profiles" ] // n.profiles.${profileName};
      name = if profileName == "system" then node else "${node}-${profileName}";
      system = if profileName == "system" then systemOf node s.path else null;
      options = ssh (s.sshOpts or [ ]);
      order = index (n.profilesOrder or [ ]) profileName;
    in
    {
      inherit name system node profileName;
      settings = only {
        deploy = only {
          host = n.hostname;
          user = let user = s.sshUser or "root"; in if user == "root" then null else user;
          inherit (options) port;
          build = if s.remoteBuild or false then null else "deployer";
          timeouts = only { confirm = s.confirmTimeout or null; activate = s.activationTimeout or null; };
        };
        profile = only (
          { inherit order; }
          // (
            if system != null then
              { }
            else
              {
                kind = "custom";
                name = profileName;
                user = s.user or s.sshUser or "root";
                activate = [ "deploy-rs-activate" ];
                path = s.profilePath or null;
              }
          )
        );
      };
      lost = lost "${name}: " [
        { name = "sshUser"; set = !(s ? sshUser); instead = "not set: deploy-rs logs in as you, git-deploy as root (deploy.user)"; }
        { name = "sshOpts"; set = options.rest != [ ]; instead = "write them to your ssh configuration: ${toString options.rest}"; }
        { name = "magicRollback"; set = !(s.magicRollback or true); instead = "a node always proves that it can be reached"; }
        { name = "autoRollback"; set = !(s.autoRollback or true); instead = "what fails is always put back"; }
        { name = "fastConnection"; set = s.fastConnection or false; instead = "only what the node lacks is copied"; }
        { name = "interactiveSudo"; set = s.interactiveSudo or false; instead = "sudo must not ask for a password"; }
        { name = "sudo"; set = s ? sudo; instead = "it is sudo -n here"; }
        { name = "tempPath"; set = s ? tempPath; instead = "nothing is kept there"; }
        { name = "system"; set = system != null; instead = "import inputs.git-deploy.nixosModules.default in nixosConfigurations.${toString system}, which a node needs"; }
        { name = "profile ${profileName}"; set = length (attrNames n.profiles) > 1 && profileName != "system"; instead = "a machine is one node of a network: this one needs a network of its own"; }
        { name = "user"; set = system != null && s.user or s.sshUser or "root" != "root"; instead = "a system is activated by root"; }
        { name = "profilePath"; set = system != null && s ? profilePath; instead = "a system is /nix/var/nix/profiles/system"; }
        { name = "path"; set = system == null; instead = "an activation that reads $PROFILE must find its profile otherwise"; }
      ]
      ++ unknown "${name}: " (
        removeAttrs s [
          "activationTimeout"
          "autoRollback"
          "confirmTimeout"
          "fastConnection"
          "hostname"
          "interactiveSudo"
          "magicRollback"
          "path"
          "profilePath"
          "profilesOrder"
          "remoteBuild"
          "sshOpts"
          "sshUser"
          "sudo"
          "tempPath"
          "user"
        ]
      );
    };
  all = concatMap (node: map (ofProfile node) (attrNames (deploy.nodes.${node}.profiles or { }))) (attrNames deploy.nodes);
  key = n: builtins.toJSON n;
in
{
  name = "network";
  nodes = listToAttrs (map (p: { inherit (p) name; value = p.settings; }) all);
  lost = concatMap (p: p.lost) all;
}
// toFlake "network" (
  listToAttrs (
    map (p: {
      inherit (p) name;
      value =
        if p.system != null then
          "evaluation = self.nixosConfigurations.${key p.system}"
        else
          "profile.package = self.deploy.nodes.${key p.node}.profiles.${key p.profileName}.path";
    }) all
  )
)
