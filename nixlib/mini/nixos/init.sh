# (#! and `system=` are put before this line when the system is built)
#
# Brings this system up after a boot. As PID 1 it prepares what systemd will
# find and then becomes systemd; run by another init it starts the services
# itself.
root=${GIT_DEPLOY_ROOT:-}
root=${root%/}
PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
mkdir -p "$root/run"
rm -rf "$root/run/mini"
ln -sfn "$system" "$root/run/booted-system"
[ $$ = 1 ] || exec "$system/bin/switch-to-configuration" up

"$system/activate"
wants=/run/systemd/system/multi-user.target.wants
mkdir -p $wants /run/mini/services
while read -r name hash wanted kind _; do
  ln -sfn "$system/systemd/$name.service" "/run/systemd/system/$name.service"
  if [ "$wanted" = wanted ] && [ "$kind" != template ]; then
    mkdir -p "/run/mini/services/$name"
    printf '%s\n' "$hash" > "/run/mini/services/$name/hash"
    ln -sfn "$system/systemd/$name.service" "$wants/$name.service"
  fi
done < "$system/units"
for systemd in /usr/lib/systemd/systemd /lib/systemd/systemd; do
  [ ! -x "$systemd" ] || exec "$systemd" "$@"
done
echo "there is no systemd to become" >&2
exit 1
