package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// replica is one `hitl serve`, started again whenever it ends, as an orchestrator would.
type replica struct {
	name string
	bin  string
	conf string
	url  string
	log  string // file
	say  func(format string, args ...any)

	mu      sync.Mutex
	child   *child
	holding bool // do not start it again for now
	exits   int  // ended by itself
	panics  int
}

// child is one process. Its goroutine keeps its thread: the parent-death signal comes with the thread's end.
type child struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

func startChild(ctx context.Context, bin, logFile string, args ...string) (*child, error) {
	out, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	defer func() { _ = out.Close() }()
	cmd := exec.CommandContext(context.WithoutCancel(ctx), bin, args...)
	cmd.Stdout, cmd.Stderr = out, out
	dieWithUs(cmd)
	c := &child{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(c.done)
		err := cmd.Start()
		started <- err
		if err == nil {
			c.err = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", bin, err)
	}
	return c, nil
}

func (c *child) signal(s os.Signal) { _ = c.cmd.Process.Signal(s) } // it may have ended

// run keeps the replica running until ctx ends, then stops it in order and says whether it did.
func (r *replica) run(ctx context.Context) error {
	for ctx.Err() == nil {
		r.mu.Lock()
		hold := r.holding
		r.mu.Unlock()
		if hold {
			_ = sleep(ctx, 20*time.Millisecond)
			continue
		}
		c, err := startChild(ctx, r.bin, r.log, "--config", r.conf, "serve")
		if err != nil {
			return err
		}
		r.mu.Lock()
		r.child = c
		r.mu.Unlock()
		select {
		case <-ctx.Done():
			return r.stop(c)
		case <-c.done:
		}
		if !c.killed() {
			r.ended(c)
		}
		_ = sleep(ctx, 300*time.Millisecond)
	}
	return nil
}

// killed says whether it was SIGKILL that ended a process: ours.
func (c *child) killed() bool {
	status, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// ended notes an end that nobody asked for. A replica that finds Postgres away when it starts may give up; one that panics may not.
func (r *replica) ended(c *child) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.exits++
	if tail := logTail(r.log); bytes.Contains(tail, []byte("goroutine ")) {
		r.panics++
		r.say("%s panicked:\n%s", r.name, tail)
		return
	}
	r.say("%s ended by itself (%v) and is started again", r.name, c.err)
}

func (r *replica) stop(c *child) error {
	c.signal(syscall.SIGTERM)
	select {
	case <-c.done:
	case <-time.After(40 * time.Second):
		c.signal(syscall.SIGKILL)
		<-c.done
		return fmt.Errorf("%s did not stop within 40 s", r.name)
	}
	if c.err != nil {
		return fmt.Errorf("%s did not stop cleanly: %w\n%s", r.name, c.err, logTail(r.log))
	}
	return nil
}

// kill ends the process at once and keeps it down until release.
func (r *replica) kill() (release func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holding = true
	if r.child != nil {
		r.child.signal(syscall.SIGKILL)
	}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.holding = false
	}
}

// awaitReady returns when the replica says that it is ready.
func (r *replica) awaitReady(ctx context.Context, client *http.Client) error {
	for {
		if get(ctx, client, r.url+"/readyz") == nil {
			return nil
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("wait for %s: %w\n%s", r.name, err, logTail(r.log))
		}
	}
}

func get(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return errors.New(res.Status)
	}
	return nil
}

func logTail(file string) []byte {
	const most = 3000
	b, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	return b[max(0, len(b)-most):]
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
