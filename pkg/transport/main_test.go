package transport

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary is also the tool on the node and the relay that git runs.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "node":
			os.Exit(fakeNode(os.Args[2:]))
		case RelayCommand:
			os.Exit(Relay(os.Args[2:]))
		}
	}
	os.Exit(m.Run())
}

// fakeNode has the verbs that the tests need.
func fakeNode(args []string) int {
	if len(args) > 0 && args[0] == MarkedFlag {
		fmt.Print(Marker)
		args = args[1:]
	}
	if len(args) == 0 {
		return 2
	}
	verb, args := args[0], args[1:]
	switch verb {
	case "args": // prints its arguments
		b, _ := json.Marshal(args)
		os.Stdout.Write(b)
	case "env":
		for _, name := range args {
			fmt.Printf("%s=%s\n", name, os.Getenv(name))
		}
	case "cat":
		if _, err := io.Copy(os.Stdout, os.Stdin); err != nil {
			return 1
		}
	case "both": // floods both outputs
		n, _ := strconv.Atoi(args[0])
		chunk := strings.Repeat("x", 1000)
		for range n {
			fmt.Fprint(os.Stdout, chunk)
			fmt.Fprint(os.Stderr, chunk)
		}
	case "exit":
		code, _ := strconv.Atoi(args[0])
		fmt.Fprintln(os.Stderr, "leaving")
		return code
	case "kill": // ends by a signal
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		time.Sleep(time.Minute)
	case "hang": // writes its pid, and stays until killed or until its input ends
		fmt.Println(os.Getpid())
		if len(args) > 0 && args[0] == "input" {
			_, _ = io.Copy(io.Discard, os.Stdin)
			return 0
		}
		time.Sleep(time.Hour)
	case "stubborn": // does not end on SIGTERM
		signal.Ignore(syscall.SIGTERM)
		fmt.Println(os.Getpid())
		time.Sleep(time.Hour)
	case "authinfo":
		b, err := os.ReadFile(os.Getenv("SSH_USER_AUTH"))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		os.Stdout.Write(b)
	case "upload-pack", "receive-pack":
		env := os.Environ()
		if len(args) == 3 && args[0] == "--protocol" {
			env, args = append(env, "GIT_PROTOCOL="+args[1]), args[2:]
		}
		cmd := exec.Command("git", verb, os.Getenv("TEST_REPOS")+"/"+args[0])
		cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = env, os.Stdin, os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			return 1
		}
	default:
		fmt.Fprintln(os.Stderr, "unknown verb", verb)
		return 2
	}
	return 0
}
