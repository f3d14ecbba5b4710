package transport

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/git-deploy/git-deploy/internal/testenv"
)

// TestTarget: where ssh would do more than connect by TCP, it does it itself.
func TestTarget(t *testing.T) {
	base := sshConfig{
		"hostname": "10.0.0.1", "port": "22", "addressfamily": "any", "canonicalizehostname": "false",
		"checkhostip": "no", "connectionattempts": "1", "tcpkeepalive": "yes",
	}
	for _, test := range []struct {
		argv       []string
		shell      string
		key, value string
		want       string
	}{
		{want: "10.0.0.1:22"},
		{key: "hostname", value: "fe80::1%eth0", want: "[fe80::1%eth0]:22"},
		{argv: []string{"/usr/bin/ssh"}, want: "10.0.0.1:22"},
		{argv: []string{"ip", "netns", "exec", "vpn", "ssh"}},
		{argv: []string{"sh", "-c", `ssh "$@"`}, shell: "ssh"},
		{key: "proxycommand", value: "nc %h %p"},
		{key: "proxyjump", value: "bastion"},
		{key: "bindaddress", value: "10.0.0.9"},
		{key: "bindinterface", value: "eth1"},
		{key: "addressfamily", value: "inet6"},
		{key: "canonicalizehostname", value: "true"},
		{key: "checkhostip", value: "yes"},
		{key: "connectionattempts", value: "3"},
		{key: "port", value: ""},
	} {
		config := maps.Clone(base)
		if test.key != "" {
			config[test.key] = test.value
		}
		if test.argv == nil {
			test.argv = []string{"ssh"}
		}
		tr := &openSSH{cmd: sshCommand{argv: test.argv, shell: test.shell}, config: func() sshConfig { return config }}
		if got := tr.target(); got != test.want {
			t.Errorf("%v %s=%q: %q, want %q", test.argv, test.key, test.value, got, test.want)
		}
	}
}

func TestConnectTimeout(t *testing.T) {
	for _, test := range []struct {
		config string
		option time.Duration
		want   time.Duration
	}{
		{"none", 0, DefaultConnectTimeout},
		{"none", 3 * time.Second, 3 * time.Second},
		{"none", -1, 0},
		{"7", 3 * time.Second, 7 * time.Second},
	} {
		tr := &openSSH{opts: Options{ConnectTimeout: test.option}}
		if got := tr.connectTimeout(sshConfig{"connecttimeout": test.config}); got != test.want {
			t.Errorf("%v: %v", test, got)
		}
	}
}

// TestUsersProxy: a proxy in the user's configuration is what connects.
func TestUsersProxy(t *testing.T) {
	h := sshd(t)
	config, err := os.ReadFile(h.sshConfig)
	if err != nil {
		t.Fatal(err)
	}
	mark := filepath.Join(h.dir, "proxied")
	write(t, h.sshConfig, string(config)+"ProxyCommand sh -c 'echo x >> "+mark+"; exec busybox nc %h %p'\n")
	tr := h.dial(t, h.options(t))
	if err := ping(t, tr); err != nil {
		t.Fatal(err)
	}
	if err := ping(t, tr.Fresh()); err != nil {
		t.Fatal(err)
	}
	if said, err := os.ReadFile(mark); err != nil || string(said) != "x\nx\n" {
		t.Errorf("the proxy connected %q times: %v", said, err)
	}
}

// TestHostName: a name of ssh's configuration is no name for anything else.
func TestHostName(t *testing.T) {
	testenv.Need(t, "ssh")
	config := filepath.Join(t.TempDir(), "config")
	write(t, config, "Host web\n  HostName 192.0.2.7\nHost *.lan\n  HostName %h.example.org\n")
	for host, want := range map[string]string{"web": "192.0.2.7", "db.lan": "db.lan.example.org", "192.0.2.8": "192.0.2.8"} {
		for _, v := range []variant{variantSSH, variantPlink} {
			tr := &openSSH{addr: Address{User: "root", Host: host}, cmd: sshCommand{argv: []string{"ssh", "-F", config}, variant: v}}
			tr.config = tr.askConfig
			if v == variantPlink {
				want = host
			}
			if got := tr.HostName(host); got != want {
				t.Errorf("%s by %s is %q, want %q", host, v, got, want)
			}
			if got := tr.HostName("mail.lan"); got != "mail.lan" {
				t.Errorf("another host became %q", got)
			}
		}
	}
}
