package proc

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// Detach starts c in a session of its own, so that it outlives this process
// and its connection, and returns its process id. Its stdio must be files, or
// nil, which is /dev/null; no other descriptor of ours reaches it. Should
// this process live on, it reaps the program.
func Detach(c Cmd) (pid int, err error) {
	if len(c.Argv) == 0 {
		return 0, errNoProgram
	}
	for _, s := range []any{c.Stdin, c.Stdout, c.Stderr} {
		if _, ok := s.(*os.File); s != nil && !ok {
			return 0, &Error{Argv: c.Argv, ExitCode: -1, Err: errors.New("a detached program has files for its stdio")}
		}
	}
	cmd := exec.Command(c.Argv[0], c.Argv[1:]...)
	cmd.Dir, cmd.Env, cmd.ExtraFiles = c.Dir, environ(c), c.ExtraFiles
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Stdin, c.Stdout, c.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	closeInheritedOnExec()
	if err := cmd.Start(); err != nil {
		return 0, &Error{Argv: c.Argv, ExitCode: -1, Err: startError(c, err)}
	}
	go func() { _ = cmd.Wait() }()
	return cmd.Process.Pid, nil
}

// Exec replaces this process by argv; it returns only on error. env wins over
// this process's environment.
func Exec(argv, env []string) error {
	if len(argv) == 0 {
		return errNoProgram
	}
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return &Error{Argv: argv, ExitCode: -1, Err: startError(Cmd{Argv: argv}, err)}
	}
	return &Error{Argv: argv, ExitCode: -1, Err: syscall.Exec(path, argv, environ(Cmd{Env: env}))}
}
