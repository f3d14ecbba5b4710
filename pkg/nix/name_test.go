package nix

import (
	"strings"
	"testing"
)

func TestParseName(t *testing.T) {
	for _, c := range []struct{ name, pkg, version string }{
		{"hello-2.12.1", "hello", "2.12.1"},
		{"python3-3.11.9", "python3", "3.11.9"},
		{"python3.11-requests-2.31.0", "python3.11-requests", "2.31.0"},
		{"nixos-system-web-24.05.1234.abcdef", "nixos-system-web", "24.05.1234.abcdef"},
		{"glibc-2.39-52", "glibc", "2.39-52"},
		{"glibc-2.39-52-dev", "glibc", "2.39-52"},
		{"openssl-3.0.13-bin", "openssl", "3.0.13"},
		{"unit-nginx.service", "unit-nginx.service", ""},
		{"etc", "etc", ""},
		{"X-Restart-Triggers", "X-Restart-Triggers", ""},
		{"foo-", "foo-", ""},
		{"-1", "", "1"},
		{"", "", ""},
	} {
		pkg, version := parseName(c.name)
		if pkg != c.pkg || version != c.version {
			t.Errorf("parseName(%q) = %q, %q; want %q, %q", c.name, pkg, version, c.pkg, c.version)
		}
	}
}

func TestNameOf(t *testing.T) {
	for path, want := range map[string]string{
		"/nix/store/91dyc8mmvv0jnb9h5jqz466i1qs48krq-dep-1.0.drv": "dep-1.0",
		"/nix/store/91dyc8mmvv0jnb9h5jqz466i1qs48krq-dep-1.0":     "dep-1.0",
		"dep-1.0": "dep-1.0",
		"":        "",
	} {
		if got := nameOf(path); got != want {
			t.Errorf("nameOf(%q) = %q, want %q", path, got, want)
		}
	}
}

func FuzzParseName(f *testing.F) {
	for _, s := range []string{"hello-2.12.1", "glibc-2.39-52-dev", "a--1", "-", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		pkg, version := parseName(name)
		if whole := pkg + "-" + version; version != "" && !strings.HasPrefix(name, whole) {
			t.Errorf("%q does not begin with %q", name, whole)
		}
		if version == "" && pkg != name && name != pkg+"-" && !strings.HasPrefix(name, pkg+"-") {
			t.Errorf("parseName(%q) = %q", name, pkg)
		}
		nameOf(name)
	})
}
