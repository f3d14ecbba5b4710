# (#! and `system=` are put before this line when the system is built)
#
# The files, links and activation scripts of this system, and nothing else.
exec "$system/bin/switch-to-configuration" activate
