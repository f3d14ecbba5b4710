# Services, as systemd units: the same text for a real systemd, and as a shell
# script for hosts without one.
{ config, lib, pkgs, ... }:
let
  inherit (lib)
    concatStringsSep
    escapeShellArg
    literalExpression
    mapAttrs
    mapAttrsToList
    mkIf
    mkOption
    optionalString
    types
    ;

  scalar = types.oneOf [
    types.bool
    types.int
    types.str
    types.path
    types.package
  ];
  setting = types.nullOr (types.either scalar (types.listOf scalar));

  show = v: if builtins.isBool v then lib.boolToString v else toString v;
  section = lib.concatMapStrings ({ name, value }: lib.concatMapStrings (v: "${name}=${show v}\n") (lib.toList value));
  lines = attrs: section (lib.attrsToList (lib.filterAttrs (_: v: v != null && v != [ ]) attrs));

  names = description: mkOption {
    type = types.listOf types.str;
    default = [ ];
    inherit description;
  };
  flag = default: description: mkOption {
    type = types.bool;
    inherit default description;
  };

  # A script without references to the store needs no build.
  scriptFile =
    name: text:
    if builtins.hasContext text then pkgs.writeText name text else builtins.toFile name text;

  service =
    { name, config, ... }:
    {
      options = {
        enable = flag true "If set to false, this unit is left out.";
        description = mkOption {
          type = types.str;
          default = "";
          example = "the web server";
          description = "Description of this unit used in systemd messages and progress indicators.";
        };
        wantedBy = names "Units that want this one: a service without any is not started by itself.";
        requiredBy = names "Units that require this one.";
        after = names "If these units are started too, this one waits for them.";
        before = names "If these units are started too, they wait for this one.";
        wants = names "Units to start with this one.";
        requires = names "Units that must run for this one to run.";
        path = mkOption {
          type = types.listOf (types.either types.package types.str);
          default = [ ];
          description = "Packages added to the service's PATH.";
        };
        environment = mkOption {
          type = types.attrsOf (types.nullOr (types.oneOf [ types.str types.path types.package types.int ]));
          default = { };
          example.LANG = "C";
          description = "Environment variables of the service's processes.";
        };
        serviceConfig = mkOption {
          type = types.attrsOf setting;
          default = { };
          example = literalExpression ''{ ExecStart = "''${pkgs.busybox}/bin/httpd -f"; }'';
          description = "Settings of the section [Service] of the unit.";
        };
        unitConfig = mkOption {
          type = types.attrsOf setting;
          default = { };
          description = "Settings of the section [Unit] of the unit.";
        };
        script = mkOption {
          type = types.lines;
          default = "";
          example = "exec sleep infinity";
          description = "Shell commands executed as the service's main process.";
        };
        preStart = mkOption {
          type = types.lines;
          default = "";
          description = "Shell commands executed before the service's main process is started.";
        };
        startAt = mkOption {
          type = types.either types.str (types.listOf types.str);
          default = [ ];
          example = "daily";
          description = "When to start the service (ignored by mini, which has no timers).";
        };
        restartTriggers = mkOption {
          type = types.listOf types.unspecified;
          default = [ ];
          example = literalExpression "[ config.environment.etc.\"web.conf\".source ]";
          description = "If one of these changes, the service is restarted.";
        };
        reloadTriggers = mkOption {
          type = types.listOf types.unspecified;
          default = [ ];
          description = "If one of these changes, the service is reloaded (mini restarts it).";
        };
        restartIfChanged = flag true "Whether the service is restarted when its unit has changed.";
        stopIfChanged = flag true "Whether a changed unit is stopped before activation and started after it, instead of restarted.";
        reloadIfChanged = flag false "Whether the service is reloaded instead of restarted.";
      };
      config.serviceConfig = {
        ExecStart = mkIf (config.script != "") "/bin/sh -e ${scriptFile "unit-script-${lib.strings.sanitizeDerivationName name}" config.script}";
        ExecStartPre = mkIf (config.preStart != "") "/bin/sh -e ${scriptFile "unit-script-${lib.strings.sanitizeDerivationName name}-pre" config.preStart}";
      };
    };

  searchPath = cfg: optionalString (cfg.path != [ ]) "${lib.makeBinPath cfg.path}:";

  unitText =
    cfg:
    let
      triggers = cfg.restartTriggers ++ cfg.reloadTriggers;
    in
    "[Unit]\n"
    + lines (
      {
        Description = if cfg.description == "" then null else cfg.description;
        After = if cfg.after == [ ] then null else toString cfg.after;
        Before = if cfg.before == [ ] then null else toString cfg.before;
        Wants = if cfg.wants == [ ] then null else toString cfg.wants;
        Requires = if cfg.requires == [ ] then null else toString cfg.requires;
        X-Restart-Triggers = if triggers == [ ] then null else toString triggers;
      }
      // cfg.unitConfig
    )
    + "\n[Service]\n"
    + lines (
      {
        Environment =
          lib.optional (cfg.path != [ ]) (builtins.toJSON "PATH=${searchPath cfg}/usr/bin:/bin:/usr/sbin:/sbin")
          ++ mapAttrsToList (n: v: builtins.toJSON "${n}=${toString v}") (lib.filterAttrs (_: v: v != null) cfg.environment);
      }
      // cfg.serviceConfig
    );

  # What the supervisor of switch-to-configuration runs: it reads settings with
  # the shell's own rules for words and quotes.
  runText =
    cfg:
    let
      get = n: cfg.serviceConfig.${n} or null;
      commands = n: builtins.filter (c: c != "") (map show (lib.toList (if get n == null then [ ] else get n)));
      command =
        c:
        let
          m = builtins.match "([-@:+!|]*)(.*)" c;
          line = builtins.elemAt m 1;
        in
        if lib.hasInfix "-" (builtins.head m) then "${line} || :" else line;
      exports = lib.concatLines (
        mapAttrsToList (n: v: "export ${n}=${escapeShellArg (toString v)}") (lib.filterAttrs (_: v: v != null) cfg.environment)
        ++ map (v: "export ${v}") (commands "Environment")
      );
      main = commands "ExecStart";
      oneshot = get "Type" == "oneshot";
    in
    ''
      set -f
      ${optionalString (cfg.path != [ ]) "export PATH=${searchPath cfg}$PATH"}
      ${exports}${optionalString (get "WorkingDirectory" != null) "cd ${escapeShellArg (show (get "WorkingDirectory"))}"}
      ${concatStringsSep "\n" (map command (commands "ExecStartPre"))}
      ${
        if oneshot then
          concatStringsSep "\n" (map command main)
        else
          "exec ${builtins.elemAt (builtins.match "([-@:+!|]*)(.*)" (builtins.head main)) 1}"
      }
    '';

  enabled = lib.filterAttrs (_: s: s.enable) config.systemd.services;
in
{
  options.systemd = {
    services = mkOption {
      type = types.attrsOf (types.submodule service);
      default = { };
      example = literalExpression ''{ web.serviceConfig.ExecStart = "''${pkgs.busybox}/bin/httpd -f"; }'';
      description = "Services of the system.";
    };
    tmpfiles.rules = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "d /tmp 1777 root root 10d" ];
      description = "Files to make (mini makes folders, `d`, and links, `L+`).";
    };
    packages = mkOption {
      type = types.listOf types.package;
      default = [ ];
      description = "Ignored by mini.";
    };
  };

  config = {
    assertions = mapAttrsToList (name: s: {
      assertion = (s.serviceConfig.ExecStart or null) != null;
      message = "Service ${name} has no command: set systemd.services.${name}.script or systemd.services.${name}.serviceConfig.ExecStart.";
    }) enabled;

    system.build.services = mapAttrs (
      name: s:
      let
        unit = unitText s;
      in
      {
        inherit unit;
        run = runText s;
        # One line of the file `units`, which switch-to-configuration compares.
        line = concatStringsSep " " [
          name
          (builtins.hashString "sha256" (builtins.unsafeDiscardStringContext unit))
          (if s.wantedBy ++ s.requiredBy == [ ] then "unwanted" else "wanted")
          (if lib.hasSuffix "@" name then "template" else if s.serviceConfig.Type or "simple" == "oneshot" then "oneshot" else "simple")
          (if s.restartIfChanged then "restart" else "keep")
          (if s.stopIfChanged then "stop" else "replace")
          (if s.serviceConfig.RemainAfterExit or false == true then "remains" else "ends")
          (show (if s.serviceConfig.User or null == null then "root" else s.serviceConfig.User))
          (toString (lib.toList (s.unitConfig.ConditionPathExists or [ ])))
        ];
      }
    ) enabled;
  };
}
