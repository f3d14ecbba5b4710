# Trivial builders, under nixpkgs' names. Each is one derivation that needs
# /bin/sh, and where it makes folders or links also mkdir, ln, cp and chmod:
# from the host, or from a busybox that is /bin/sh itself (sandboxed builds).
{ lib, system }:
let
  inherit (lib) concatMapStrings escapeShellArg mapAttrsToList;

  # Where Nix runs unsandboxed, these are the places of the host's programs.
  path = "/usr/bin:/bin:/run/current-system/sw/bin";

  prologue = ''
    export PATH=${path}
    for program in mkdir ln cp chmod; do
      command -v $program >/dev/null || eval "$program() { (exec -a $program /bin/sh \"\$@\"); }"
    done
  '';

  # The script is handed over as a file: an argument may not be longer than
  # 128 KiB.
  run =
    name: env: script:
    derivation (
      {
        inherit name system;
        builder = "/bin/sh";
        args = [
          "-ec"
          ". \"$scriptPath\""
        ];
        script = prologue + script;
        passAsFile = [ "script" ] ++ env.passAsFile or [ ];
        preferLocalBuild = true;
        allowSubstitutes = false;
      }
      // removeAttrs env [
        "passAsFile"
        "meta"
      ]
    )
    // {
      meta = env.meta or { };
    };

  writeTextFile =
    {
      name,
      text,
      executable ? false,
      destination ? "",
      meta ? { },
      checkPhase ? "",
    }:
    run name
      {
        inherit text meta;
        passAsFile = [ "text" ];
      }
      ''
        target=$out${lib.escapeShellArg destination}
        ${lib.optionalString (destination != "") "mkdir -p \"\${target%/*}\""}
        while IFS= read -r line; do printf '%s\n' "$line"; done < "$textPath" > "$target"
        printf %s "$line" >> "$target"
        ${lib.optionalString executable "chmod +x \"$target\""}
        ${checkPhase}
      '';
in
rec {
  inherit writeTextFile;
  runtimeShell = "/bin/sh";

  runCommand = run;
  runCommandLocal = run;

  writeText = name: text: writeTextFile { inherit name text; };
  writeScript =
    name: text:
    writeTextFile {
      inherit name text;
      executable = true;
    };
  writeShellScript =
    name: text:
    writeScript name ''
      #!/bin/sh
      ${text}
    '';
  writeScriptBin =
    name: text:
    writeTextFile {
      inherit name text;
      executable = true;
      destination = "/bin/${name}";
      meta.mainProgram = name;
    };
  writeShellScriptBin =
    name: text:
    writeScriptBin name ''
      #!/bin/sh
      ${text}
    '';
  writeShellApplication =
    {
      name,
      text,
      runtimeInputs ? [ ],
    }:
    writeShellScriptBin name ''
      export PATH=${lib.makeBinPath runtimeInputs}:$PATH
      ${text}
    '';
  writeTextDir =
    path: text:
    writeTextFile {
      name = baseNameOf path;
      inherit text;
      destination = "/${path}";
    };

  # entries: [{ name = path in the output; path = what the link points to; }]
  linkFarm =
    name: entries:
    let
      list = if builtins.isAttrs entries then mapAttrsToList (name: path: { inherit name path; }) entries else entries;
    in
    run name { } ''
      mkdir -p $out
      ${concatMapStrings (e: ''
        t=$out/${escapeShellArg e.name}
        mkdir -p "''${t%/*}"
        ln -s ${escapeShellArg "${e.path}"} "$t"
      '') list}
    '';

  symlinkJoin =
    {
      name,
      paths,
      postBuild ? "",
    }:
    run name { paths = map toString paths; } ''
      join() { # from to
        mkdir -p "$2"
        for entry in "$1"/* "$1"/.[!.]*; do
          [ -e "$entry" ] || [ -L "$entry" ] || continue
          target=$2/''${entry##*/}
          if [ -d "$entry" ]; then
            join "$entry" "$target"
          elif [ ! -e "$target" ]; then
            ln -s "$entry" "$target"
          fi
        done
      }
      for path in $paths; do join "$path" "$out"; done
      ${postBuild}
    '';
  buildEnv = args: symlinkJoin { inherit (args) name paths; };
}
