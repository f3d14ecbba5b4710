package transport

import (
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	for in, want := range map[string]Address{
		"node://web":                           {Host: "web"},
		"node://web/":                          {Host: "web"},
		"node://web.example.org/home":          {Host: "web.example.org", Network: "home"},
		"node://web/home/":                     {Host: "web", Network: "home"},
		"node://root@10.0.0.1:2222/my-net_1.0": {User: "root", Host: "10.0.0.1", Port: 2222, Network: "my-net_1.0"},
		"node://[2001:db8::1]":                 {Host: "2001:db8::1"},
		"node://root@[2001:db8::1]:22/home":    {User: "root", Host: "2001:db8::1", Port: 22, Network: "home"},
		"node://[fe80::1%25eth0]:22":           {Host: "fe80::1%eth0", Port: 22},
		"node://[fe80::1%eth0]":                {Host: "fe80::1%eth0"},
		"node://alice%40corp@host":             {User: "alice@corp", Host: "host"},
		"node://alice@corp@host":               {User: "alice@corp", Host: "host"},
		"node://bücher.example/home":           {Host: "bücher.example", Network: "home"},
		"node://b%C3%BCcher.example/h%6fme":    {Host: "bücher.example", Network: "home"},
		"web":                                  {Node: "web"},
		"alice-laptop":                         {Node: "alice-laptop"},
		"web.eu.example_1":                     {Node: "web.eu.example_1"},
		"node::web":                            {Node: "web"},
		"node::node://root@web:22":             {User: "root", Host: "web", Port: 22},
	} {
		got, err := ParseAddress(in)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", in, got, err)
			continue
		}
		if again, err := ParseAddress(got.String()); err != nil || again != got {
			t.Errorf("%s: %s: %+v, %v", in, got, again, err)
		}
	}
}

func TestParseAddressRefuses(t *testing.T) {
	for in, says := range map[string]string{
		"":                        "node name is empty",
		"node://":                 "host is empty",
		"node:///home":            "host is empty",
		"node://root@/home":       "host is empty",
		"node://@web":             "user name is empty",
		"node://-oProxyCommand=x": "begins with a hyphen",
		"node://-l@web":           "begins with a hyphen",
		"node://%2dx":             "begins with a hyphen",
		"node://web:":             "port",
		"node://web:0":            "port",
		"node://web:65536":        "port",
		"node://web:ssh":          "port",
		"node://web:+22":          "port",
		"node://web:-22":          "port",
		"node://2001:db8::1":      "brackets",
		"node://[2001:db8::1":     "not closed",
		"node://[web]":            "not an IPv6 address",
		"node://[10.0.0.1]":       "not an IPv6 address",
		"node://[::1]22":          "unexpected",
		"node://[fe80::1%25a;b]":  "';'",
		"node://root:secret@web":  "password",
		"node://we%0ab":           "cannot be printed",
		"node://we b":             "space",
		"node://we%00b":           "cannot be printed",
		"node://w$(id)":           "'$'",
		"node://`id`@web":         "'`'",
		"node://web%2fx":          "no host name has",
		"node://web%zz":           "invalid URL escape",
		"node://web/../etc":       "network name",
		"node://web/a/b":          "network name",
		"node://web/-x":           "network name",
		"node://web/%2e%2e":       "network name",
		"node://web?x":            "no meaning",
		"node://web#x":            "no meaning",
		"ssh://web":               "not a node:// address",
		"-x":                      "node name",
		"a b":                     "node name",
		"node::":                  "node name is empty",
	} {
		if got, err := ParseAddress(in); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %+v, %v; want %q", in, got, err, says)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"node://root@[fe80::1%25eth0]:22/home", "node://a%40b@h", "web", "node::x", "node://h:22", "node://[::1]%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err != nil {
			return
		}
		if again, err := ParseAddress(a.String()); err != nil || again != a {
			t.Errorf("%q: %+v became %q, and that %+v (%v)", s, a, a.String(), again, err)
		}
		for _, part := range []string{a.User, a.Host, a.Network, a.Node} {
			if strings.HasPrefix(part, "-") || strings.ContainsAny(part, "\x00\n\r `$;|&<>'\"\\") {
				t.Errorf("%q: dangerous %q", s, part)
			}
		}
		if (a.Host == "") == (a.Node == "") {
			t.Errorf("%q: %+v has not just one of host and node", s, a)
		}
	})
}
