package nix

import "strings"

// nameOf returns the name of a store path without folder, hash and ".drv".
func nameOf(path string) string {
	base := path[strings.LastIndexByte(path, '/')+1:]
	if len(base) > 33 && base[32] == '-' {
		base = base[33:]
	}
	return strings.TrimSuffix(base, ".drv")
}

// outputs are the names that end a store path which is not the default output of its derivation.
var outputs = map[string]bool{
	"bin": true, "debug": true, "dev": true, "dist": true, "doc": true, "info": true, "lib": true,
	"man": true, "modules": true, "out": true, "py": true, "static": true,
}

// parseName splits a name into package and version as Nix's parseDrvName does:
// the version begins after the first hyphen that no letter follows. An output's
// name at the end is taken off the version, because all outputs of a package
// change together.
func parseName(name string) (pkg, version string) {
	for i := 0; i+1 < len(name); i++ {
		if name[i] == '-' && !isLetter(name[i+1]) {
			pkg, version = name[:i], name[i+1:]
			if at := strings.LastIndexByte(version, '-'); at >= 0 && outputs[version[at+1:]] {
				version = version[:at]
			}
			return pkg, version
		}
	}
	return name, ""
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
