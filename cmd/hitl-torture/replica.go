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
	"sync/atomic"
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

	mu       sync.Mutex
	child    *child
	holding  bool // do not start it again for now
	paused   bool
	exits    int // ended by itself
	panics   int
	badStops int
}

// child is one process. Its goroutine keeps its thread: the parent-death signal comes with the thread's end.
type child struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error

	up      atomic.Bool // it has said that it is alive
	touched bool        // killed or told to stop, under the lock of its replica
}

// ended says whether the process is no more.
func (c *child) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
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
		if r.untouched() == c {
			r.ended(c)
		}
		_ = sleep(ctx, 300*time.Millisecond)
	}
	return nil
}

// untouched returns the process if it is to run: nobody has killed it, told it to stop, or paused it.
func (r *replica) untouched() *child {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.child == nil || r.child.touched || r.paused {
		return nil
	}
	return r.child
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
		r.child.touched = true
		r.child.signal(syscall.SIGKILL)
	}
	return r.release
}

// release lets it be started again.
func (r *replica) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holding = false
}

// stopMargin is how long a replica may take beyond its shutdown_timeout, which bounds requests, for the workers to finish.
const stopMargin = 15 * time.Second

// tell tells the process to stop. The returned function waits until it has, notes when it did not do so well, and lets it be started again.
// It is nil when there is no process that has begun to serve.
func (r *replica) tell() (restart func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.child
	if c == nil || !c.up.Load() || c.touched || c.ended() {
		return nil
	}
	r.holding, c.touched = true, true
	c.signal(syscall.SIGTERM)
	return func() {
		defer r.release()
		limit := time.NewTimer(settings{}.ShutdownTimeout() + stopMargin)
		defer limit.Stop()
		select {
		case <-c.done:
		case <-limit.C:
			c.signal(syscall.SIGKILL)
			<-c.done
		}
		if c.err != nil {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.badStops++
			r.say("%s did not stop well: %v\n%s", r.name, c.err, logTail(r.log))
		}
	}
}

// pause stops the process where it stands, until wake. It is nil when there is no process that has begun to serve.
func (r *replica) pause() (wake func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.child
	if c == nil || !c.up.Load() || c.touched || c.ended() || !c.stand() {
		return nil
	}
	r.paused = true
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.paused = false
		c.goOn()
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
