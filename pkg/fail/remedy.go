package fail

import "strings"

// remedies are what helps a machine that cannot work, by the words of the
// kernel, of git and of Nix, in lower case.
var remedies = []struct {
	words  []string
	remedy string
}{
	{[]string{"no space left on device", "disk quota exceeded", "there is no room"}, "git deploy gc --store NODE   # frees what the node needs no longer"},
	{[]string{"read-only file system", "is read-only"}, "look at dmesg on NODE: a file system that went read-only has found errors"},
	{[]string{"out of memory", "cannot allocate memory", "signal: killed", "signal 9", "unexpectedly killed"}, "git deploy push -o build=deployer -o evaluate=deployer NODE   # where NODE has too little memory"},
	{[]string{"unable to download", "program 'git' failed", "failed to fetch git repository"}, "git deploy push -o build=deployer -o evaluate=deployer NODE   # where NODE cannot fetch this and you can"},
	{[]string{"daemon-socket", "nix daemon disconnected", "cannot open connection to remote store", "error: unexpected end-of-file", "nix daemon"}, "systemctl restart nix-daemon   # on NODE, then push again"},
}

// Remedy returns a hint for an error that comes from a machine's state and not
// from what was asked of it, "" for others.
func Remedy(message, node string) string {
	message = strings.ToLower(message)
	for _, r := range remedies {
		for _, w := range r.words {
			if strings.Contains(message, w) {
				return strings.ReplaceAll(r.remedy, "NODE", node)
			}
		}
	}
	return ""
}
