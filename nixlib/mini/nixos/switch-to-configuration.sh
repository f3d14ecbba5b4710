# (#! and `system=` are put before this line when the system is built)
#
# switch-to-configuration switch|boot|test|dry-activate
#
# and, for init: `activate` (no services are touched) and `up` (as test, at
# boot).
#
# Makes the files, services and links of this system those of the host, below
# the prefix GIT_DEPLOY_ROOT. Exit codes are those of NixOS: 0 done, 2 an
# activation script failed, 4 a service failed, 100 the running system cannot be
# switched live, 1 anything else.
#
# Whoever called may go away at any moment: no signal of a closing terminal and
# no closed pipe ends this program.

# Handlers, not '': what is ignored here would be ignored by services too.
trap : HUP PIPE

action=${1:-}
root=${GIT_DEPLOY_ROOT:-}
root=${root%/}
PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin
export PATH
state=$root/run/mini/services
made=$root/var/lib/mini/etc
status=0

say() { printf '%s\n' "$*" >&2 || :; }
die() { say "error: $*"; exit 1; }

case $action in
  switch | boot | test | dry-activate | activate | up) ;;
  *) die "usage: switch-to-configuration switch|boot|test|dry-activate" ;;
esac

# point LINK TARGET: replaces a symlink in one step
point() {
  mkdir -p "${1%/*}" && ln -sfn "$2" "$1.tmp.$$" && mv -T "$1.tmp.$$" "$1"
}

boot() { point "$root/boot/default" "$system" || die "cannot write $root/boot/default"; }

if [ "$action" = boot ]; then
  boot
  exit 0
fi

# interface SYSTEM: prints what must be the same for a live switch
interface() { cat "$1/init-interface-version" 2>/dev/null || echo mini 1; }
case $action in
  switch | test)
    if [ -e "$root/run/current-system" ] && [ "$(interface "$root/run/current-system")" != "$(interface "$system")" ]; then
      say "error: switching to this system needs a reboot: its init interface is another one"
      exit 100
    fi
    ;;
esac

with_systemd=
[ -n "$root" ] || [ ! -d /run/systemd/system ] || with_systemd=1

# --- processes

# alive SERVICE: its process runs (a zombie does not); sets pid
alive() {
  pid= started=
  [ -r "$state/$1/pid" ] && read -r pid started < "$state/$1/pid" && running "$pid" "$started"
}

# running PID START: that process, started at that time, runs
running() {
  [ -n "$1" ] && [ -r "/proc/$1/stat" ] && read -r stat 2>/dev/null < "/proc/$1/stat" || return 1
  set -f
  set -- "$2" ${stat##*) }
  set +f
  [ "$2" != Z ] && { [ -z "$1" ] || [ "$1" = "${21}" ]; }
}

# start_time PID: prints when the kernel started it
start_time() {
  read -r stat 2>/dev/null < "/proc/$1/stat" || return 1
  set -f
  set -- ${stat##*) }
  set +f
  printf %s "${20}"
}

# --- units; each line of the file `units`:
# name hash wanted|unwanted simple|oneshot|template restart|keep stop|replace remains|ends user [conditions]

# holds [!]PATH…: the paths exist (with !: do not)
holds() {
  for condition; do
    case $condition in
      !*) [ ! -e "$root${condition#!}" ] || return 1 ;;
      *) [ -e "$root$condition" ] || return 1 ;;
    esac
  done
}

start_one() { # name hash kind user
  say "starting $1.service" 
  if [ -n "$with_systemd" ]; then
    mkdir -p "$state/$1" && systemctl start "$1.service" || return 1
  else
    mkdir -p "$state/$1" "$root/var/log/mini" || return 1
    log=$root/var/log/mini/$1.log
    run="exec /bin/sh -e '$system/services/$1'"
    if [ "$4" != root ] && [ "$(id -u)" = 0 ]; then
      run="exec setpriv --reuid '$4' --regid '$4' --init-groups /bin/sh -e '$system/services/$1'"
    fi
    if [ "$3" = oneshot ]; then
      setsid /bin/sh -c "exec 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-; $run" </dev/null >> "$log" 2>&1 || return 1
      : > "$state/$1/pid"
    else
      setsid /bin/sh -c "exec 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-; $run" </dev/null >> "$log" 2>&1 &
      printf '%s %s\n' $! "$(start_time $!)" > "$state/$1/pid"
    fi
  fi
  printf '%s\n' "$2" > "$state/$1/hash"
}

stop_one() { # name
  if [ -n "$with_systemd" ]; then
    systemctl stop "$1.service"
  elif alive "$1"; then
    kill -TERM "-$pid" 2>/dev/null || kill -TERM "$pid" 2>/dev/null
    waited=0
    while running "$pid" "$started"; do
      waited=$((waited + 1))
      if [ $waited = 500 ]; then
        say "$1.service does not stop: killing it"
        kill -KILL "-$pid" 2>/dev/null
      fi
      sleep 0.02
    done
  fi
  rm -rf "${state:?}/$1"
}

# --- what is to be done

# will_start: the unit at hand, in plan
will_start() {
  start="$start$name $hash $kind $user $conditions
"
  start_names="$start_names${start_names:+, }$name.service"
}

stop= start= stop_names= start_names= keep_names=
plan() {
  wanted_names=' '
  while read -r name hash wanted kind changed how remains user conditions; do
    wanted_names="$wanted_names$name "
    [ "$kind" != template ] || continue
    had=
    [ ! -r "$state/$name/hash" ] || read -r had < "$state/$name/hash"
    up=
    if [ -n "$had" ]; then
      if [ -n "$with_systemd" ]; then
        ! systemctl -q is-active "$name.service" || up=1
      elif [ "$kind" = oneshot ]; then
        up=1
      else
        ! alive "$name" || up=1
      fi
    fi
    if [ -z "$up" ]; then
      [ "$wanted" = wanted ] && holds $conditions || continue
      will_start
    elif [ "$had" != "$hash" ]; then
      if [ "$changed" = keep ]; then
        keep_names="$keep_names${keep_names:+, }$name.service"
        continue
      fi
      stop="$stop$name "
      stop_names="$stop_names${stop_names:+, }$name.service"
      will_start
    elif [ "$kind" = oneshot ] && [ "$remains" = ends ]; then
      will_start
    fi
  done < "$system/units"
  for dir in "$state"/*; do
    [ -d "$dir" ] || continue
    name=${dir##*/}
    case $wanted_names in
      *" $name "*) ;;
      *)
        stop="$stop$name "
        stop_names="$stop_names${stop_names:+, }$name.service"
        ;;
    esac
  done
}

# --- files

# up PATH: prints the way from the folder of etc/PATH back to etc
up_from() {
  way= rest=$1
  while :; do
    case $rest in
      */*) way=../$way rest=${rest#*/} ;;
      *) break ;;
    esac
  done
  printf %s "$way"
}

files() {
  mkdir -p "$root/etc" "${made%/*}" || return 1
  : >> "$made"
  point "$root/etc/static" "$system/etc" || return 1
  ours=' '
  while read -r mode path; do
    case $path in */*) way=$(up_from "$path") ;; *) way= ;; esac
    target=$root/etc/$path
    ours="$ours$path "
    if [ "$mode" = symlink ] && [ -L "$target" ] && link_is "$target" "${way}static/$path"; then
      continue
    fi
    if [ -e "$target" ] || [ -L "$target" ]; then
      if ! grep -qxF "$path" "$made"; then
        say "warning: /etc/$path is not ours: left as it is"
        continue
      fi
    fi
    grep -qxF "$path" "$made" || printf '%s\n' "$path" >> "$made"
    if [ "$mode" = symlink ]; then
      point "$target" "${way}static/$path" || return 1
    else
      mkdir -p "${target%/*}" && cp "$system/etc/$path" "$target.tmp.$$" && chmod "$mode" "$target.tmp.$$" &&
        mv -T "$target.tmp.$$" "$target" || return 1
    fi
  done < "$system/etc-files"
  # What an earlier system made and this one has not.
  gone=
  while read -r path; do
    case $ours in
      *" $path "*) ;;
      *) rm -f "$root/etc/$path"; gone=1 ;;
    esac
  done < "$made"
  if [ -n "$gone" ]; then
    for path in $ours; do printf '%s\n' "$path"; done > "$made.tmp" && mv "$made.tmp" "$made"
  fi
  while read -r kind path mode _ _ _ to; do
    case $kind in
      d) mkdir -p "$root$path"; [ "${mode:--}" = - ] || chmod "$mode" "$root$path" ;;
      L | L+) mkdir -p "$root${path%/*}"; ln -sfn "$to" "$root$path" ;;
    esac
  done < "$system/tmpfiles"
}

link_is() { [ "$(readlink "$1")" = "$2" ]; }

units_for_systemd() {
  mkdir -p "$state" /run/systemd/system/multi-user.target.wants
  for link in /run/systemd/system/*.service /run/systemd/system/multi-user.target.wants/*.service; do
    [ -L "$link" ] || continue
    case $(readlink "$link") in
      "${system%/*}"/*/systemd/*) [ -e "$system/systemd/${link##*/}" ] || rm -f "$link" ;;
    esac
  done
  while read -r name _ wanted kind _; do
    ln -sfn "$system/systemd/$name.service" "/run/systemd/system/$name.service"
    if [ "$wanted" = wanted ] && [ "$kind" != template ]; then
      ln -sfn "$system/systemd/$name.service" "/run/systemd/system/multi-user.target.wants/$name.service"
    fi
  done < "$system/units"
}

# --- did they stay up?

# A service whose command dies at once is a failed one. It is watched for a
# moment; one that fails later is a matter of health checks.
watch() {
  failed=$failed_at_start rounds=0
  while [ $rounds -lt 6 ]; do
    rounds=$((rounds + 1))
    sleep 0.02
    printf %s "$1" > "$state/.started"
    while read -r name hash kind user conditions; do
      holds $conditions || continue
      case " $failed " in *" $name.service "*) continue ;; esac
      if [ -n "$with_systemd" ]; then
        ! systemctl -q is-failed "$name.service" || failed="$failed $name.service"
      elif [ "$kind" != oneshot ] && ! alive "$name"; then
        failed="$failed $name.service"
      fi
    done < "$state/.started"
  done
  rm -f "$state/.started"
}

[ "$action" = activate ] || plan
if [ "$action" = dry-activate ]; then
  [ -z "$stop_names" ] || say "would stop the following units: $stop_names"
  say "would activate the configuration..."
  [ -z "$start_names" ] || say "would start the following units: $start_names"
  exit 0
fi

mkdir -p "$state" || die "cannot write $state"
[ -z "$keep_names" ] || say "NOT restarting the following changed units: $keep_names"
if [ -n "$stop" ]; then
  say "stopping the following units: $stop_names"
  for name in $stop; do stop_one "$name"; done
fi

say "activating the configuration..."
files || { say "error: writing files below $root/etc failed"; status=2; }
mkdir -p "$root/run"
point "$root/run/current-system" "$system" || die "cannot write $root/run/current-system"
if [ -s "$system/fragments" ]; then
  case $action in
    test | switch) export NIXOS_ACTION="$action" ;;
  esac
  (. "$system/fragments"; exit $failed_fragments) || status=2
fi
[ "$action" != activate ] || exit $status

if [ -n "$with_systemd" ]; then
  units_for_systemd
  # As NixOS: what failed under the system before is not this one's failure.
  systemctl reset-failed || :
  systemctl daemon-reload || status=1
fi

if [ -n "$start" ]; then
  say "starting the following units: $start_names"
  failed_at_start=
  printf %s "$start" > "$state/.start"
  while read -r name hash kind user conditions <&3; do
    # An activation script may have changed what the condition is about.
    holds $conditions || continue
    start_one "$name" "$hash" "$kind" "$user" || failed_at_start="$failed_at_start $name.service"
  done 3< "$state/.start"
  rm -f "$state/.start"
  watch "$start"
  if [ -n "$failed" ]; then
    say "warning: the following units failed:$failed"
    for unit in $failed; do
      name=${unit%.service}
      rm -f "$state/$name/hash"
      [ -n "$with_systemd" ] || tail -n 5 "$root/var/log/mini/$name.log" >&2 2>/dev/null || :
    done
    status=4
  fi
fi

[ "$action" != switch ] || boot
exit $status
