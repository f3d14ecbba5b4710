package demo

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/git-deploy/git-deploy/pkg/proc"
	"github.com/git-deploy/git-deploy/pkg/ui"
)

//go:embed files
var files embed.FS

// story is the demo as one sees it: a sentence, a command as one would type
// it, what it prints.
func (d *demo) story(ctx context.Context) error {
	web, gateway := d.node("web"), d.node("gateway")
	s := &teller{demo: d, ctx: ctx, style: ui.StyleOf(d.Out, os.Environ()), dir: d.Dir}

	s.say("A new network, in a git repository of its own.")
	s.run(0, `git deploy init home home --nixpkgs 'nixlib + "/mini"'`)
	s.dir = d.clone()
	s.say("Three machines become nodes of it. (Here they are folders behind ssh servers on this\nmachine, with a Nix store each.)")
	for _, n := range d.nodes {
		s.run(0, fmt.Sprintf("git deploy add %s root@127.0.0.1:%d --tag %s", n.name, n.ssh, tag(n.name)))
	}
	s.say("What they run: one module for all, a web page and a health check that reads it.")
	s.write("site.nix", text("files/site.nix"))
	s.write("network.nix", networkFile())
	for _, n := range d.nodes {
		s.write("nodes/"+n.name+".nix", nodeFile(n, ""))
	}
	s.run(0, "cat nodes/web.nix")
	s.run(0, `git add -A && git commit -qm "a web page on every machine"`)

	s.say("The first push: it evaluates, builds, switches and checks on the node itself.")
	s.run(0, "git push alice-laptop")
	s.say("The others at once.")
	s.run(0, "git deploy push @server")
	s.page(web, "Hello from web.")

	s.say("A change that concerns two nodes.")
	s.write("nodes/web.nix", nodeFile(web, `site.text = "The shop is open.";`))
	s.write("nodes/gateway.nix", nodeFile(gateway, `site.text = "The way in.";`))
	s.run(0, `git commit -qam "web, gateway: say what they are"`)
	s.run(0, "git deploy push web gateway")
	s.page(web, "The shop is open.")

	s.say("Somebody changes gateway on gateway itself, while you change something else here.")
	s.onNode(gateway, nodeFile(gateway, `site.text = "The way in. Mind the step.";`), "gateway: a warning")
	s.write("nodes/web.nix", nodeFile(web, `site.text = "The shop is open until eight.";`))
	s.run(0, `git commit -qam "web: opening hours"`)
	s.say("The push takes in what gateway did to itself: a merge, nothing is lost.")
	s.run(0, "git push gateway")
	s.page(gateway, "The way in. Mind the step.")
	s.run(0, "git log --graph --oneline -6")

	s.say("A configuration that does not evaluate never becomes the node's branch.")
	s.write("nodes/web.nix", nodeFile(web, `site.prot = 80;`))
	s.run(0, `git commit -qam "web: a typing error"`)
	s.run(1, "git push web")
	s.run(0, "git reset -q --hard HEAD~1")

	s.say("One that is not healthy is rolled back, and the push fails.")
	s.write("nodes/web.nix", nodeFile(web, "site.healthy = false;"))
	s.run(0, `git commit -qam "web: a page that is missing"`)
	s.run(1, "git push web")
	s.run(0, "git reset -q --hard HEAD~1")
	s.page(web, "The shop is open.")

	s.say("What runs where, who deployed what, and the graph of it all.")
	s.run(0, "git deploy status --fetch")
	s.run(0, "git deploy log -n 4")
	s.run(0, "git log --graph --oneline --decorate --remotes -8")
	return s.err
}

func tag(node string) string {
	if node == "alice-laptop" {
		return "laptop"
	}
	return "server"
}

func text(name string) string {
	data, err := files.ReadFile(name)
	if err != nil {
		panic(err) // embedded: it is there
	}
	return string(data)
}

// teller runs the story until something is not as it should be.
type teller struct {
	*demo
	ctx   context.Context
	style ui.Style
	dir   string
	err   error
}

func (s *teller) say(sentence string) {
	if s.err != nil {
		return
	}
	fmt.Fprintln(s.Out)
	for line := range strings.SplitSeq(sentence, "\n") {
		fmt.Fprintln(s.Out, s.style.Paint(ui.Strong, "# "+line))
	}
}

// run shows command, runs it, and expects its exit code.
func (s *teller) run(code int, command string) {
	if s.err != nil {
		return
	}
	fmt.Fprintln(s.Out, s.style.Paint(ui.Accent, "$ ")+command)
	err := proc.Run(s.ctx, proc.Cmd{
		Argv: []string{"sh", "-c", command}, Dir: s.dir, Env: append(s.env, "GIT_PAGER=cat"),
		Stdin: os.Stdin, Stdout: s.Out, Stderr: s.Errors, Foreground: true,
	})
	got := 0
	var failed *proc.Error
	if errors.As(err, &failed) {
		got = failed.ExitCode
	}
	switch {
	case s.ctx.Err() != nil:
		s.err = s.ctx.Err()
	case got != code:
		s.err = fmt.Errorf("the demo is broken: %q exited with %d instead of %d", command, got, code)
	case code != 0:
		fmt.Fprintln(s.Out, s.style.Paint(ui.Faint, fmt.Sprintf("(exit code %d, as it should be)", code)))
	}
}

func (s *teller) write(name, content string) {
	if s.err == nil {
		s.err = os.WriteFile(filepath.Join(s.clone(), name), []byte(content), 0o666)
	}
}

// page shows what the node's page says, and expects it to say want.
func (s *teller) page(n *node, want string) {
	if s.err != nil {
		return
	}
	url := "http://127.0.0.1:" + strconv.Itoa(n.site)
	fmt.Fprintln(s.Out, s.style.Paint(ui.Accent, "$ ")+"curl "+url)
	body, err := get(url)
	if err != nil {
		s.err = err
		return
	}
	fmt.Fprint(s.Out, body)
	if !strings.Contains(body, want) {
		s.err = fmt.Errorf("the demo is broken: the page of %s says %q, not %q", n.name, body, want)
	}
}

func get(url string) (string, error) {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{Proxy: nil}}
	response, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	return string(body), err
}

// onNode commits a change on the node itself, as a person who is logged in there does.
func (s *teller) onNode(n *node, content, message string) {
	if s.err != nil {
		return
	}
	work := s.file("on-" + n.name)
	repo := filepath.Join(s.root(n), "var/lib/git-deploy/networks/home/repo.git")
	prompt := s.style.Paint(ui.Accent, "root@"+n.name+"# ")
	commands := []string{
		"git clone -q " + repo + " " + work,
		"cd " + work + ` && git commit -qam "` + message + `"`,
		"cd " + work + " && git push -q",
	}
	shown := []string{"git clone " + strings.TrimPrefix(repo, s.root(n)) + " && cd repo && vi nodes/" + n.name + ".nix", `git commit -am "` + message + `"`, "git push"}
	for i, command := range commands {
		fmt.Fprintln(s.Out, prompt+shown[i])
		if i == 1 {
			if s.err = os.WriteFile(filepath.Join(work, "nodes", n.name+".nix"), []byte(content), 0o666); s.err != nil {
				return
			}
		}
		env := append(append([]string{}, s.env...), nixEnv(s.root(n))...)
		s.err = proc.Run(s.ctx, proc.Cmd{
			Argv: []string{"sh", "-c", command}, Dir: s.root(n), Stdout: s.Out, Stderr: s.Errors, Foreground: true,
			Env: append(env, "GIT_DEPLOY_ROOT="+s.root(n), "GIT_AUTHOR_NAME=Root at "+n.name, "GIT_AUTHOR_EMAIL=root@"+n.name),
		})
		if s.err != nil {
			return
		}
	}
}

func (d *demo) farewell() {
	style := ui.StyleOf(d.Out, os.Environ())
	fmt.Fprintf(d.Out, "\n%s\n\n    . %s && cd %s\n\n", style.Paint(ui.Strong, "The network is yours to try:"), d.file("env.sh"), d.clone())
	for _, n := range d.nodes {
		fmt.Fprintf(d.Out, "    %-13s http://127.0.0.1:%d  nodes/%s.nix\n", n.name, n.site, n.name)
	}
	fmt.Fprintf(d.Out, "\nEdit a file, git commit, git push web. The end of it: %s\n", d.cleaning())
}

// networkFile is the network with the module that all nodes share.
func networkFile() string {
	return `# The network home: every machine shows a page, see site.nix.
{ importNodes, nixlib, ... }:
{
  imports = [ (importNodes ./nodes) ];

  network.name = "home";
  network.nixpkgs = nixlib + "/mini"; # yours: <nixpkgs>, a path or a pin

  defaults.configuration = ./site.nix;
}
`
}

// nodeFile describes one node of the demo; extra is a line of its configuration.
func nodeFile(n *node, extra string) string {
	if extra != "" {
		extra = "\n    " + extra
	}
	return fmt.Sprintf(`# The node %s.
{
  deploy.host = "127.0.0.1";
  deploy.port = %d;
  deploy.tags = [ "%s" ];

  health.http.site = {
    url = "http://127.0.0.1:%d/";
    retries = 2;
  };

  configuration = {
    site.port = %[4]d;%s
  };
}
`, n.name, n.ssh, tag(n.name), n.site, extra)
}
