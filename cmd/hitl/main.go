// Command hitl runs the human-in-the-loop service and everything around it: `hitl demo` on a machine that has nothing prepared,
// `hitl serve` in production, and the commands that look after the log, the queue, the callbacks and the policies.
//
// This package is wiring: one file per subcommand, and service.go, which puts the rooms together in the order in which they depend on
// each other. What the service does is said in package hitl.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/redis/go-redis/v9/logging"
	"golang.org/x/term"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once: the handler is gone after the first.
	context.AfterFunc(ctx, stop)
	logging.Disable() // of go-redis: its failures come back as errors, which are logged once and in our form
	p := program{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, env: os.LookupEnv, terminal: term.IsTerminal(int(os.Stdin.Fd()))}
	os.Exit(p.exitCode(ctx, p.run(ctx, os.Args[1:])))
}

// program is what a command may touch of the world around it.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            func(string) (string, bool)
	terminal       bool // a person can answer on stdin
}

// Exit codes: 0 done, 1 it went wrong, 2 the command line or the configuration is wrong, 130 interrupted before it was done.
const (
	exitFailure     = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// usageError is an error that the caller mends by calling otherwise.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// exitError ends a command whose output said it all.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func (p program) exitCode(ctx context.Context, err error) int {
	var code exitError
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(p.stderr, "hitl: interrupted")
		return exitInterrupted
	case errors.As(err, &usage):
		fmt.Fprintf(p.stderr, "hitl: %v\n", err)
		return exitUsage
	default:
		fmt.Fprintf(p.stderr, "hitl: %v\n", err)
		return exitFailure
	}
}
