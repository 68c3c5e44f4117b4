package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// ErrNoRedis is returned when there is no redis-server and the stand-in was
// declined.
var ErrNoRedis = errors.New("no redis-server or valkey-server 6.2 or later found: install one")

// RedisOptions says how to run a private Redis. The zero value keeps nothing
// and asks for a random password.
type RedisOptions struct {
	// Dir keeps the data between runs, in an append-only file. It is created
	// when missing and belongs to one process at a time (ErrInUse). "" keeps
	// nothing. The stand-in keeps nothing in any case.
	Dir string

	// NoPassword opens the server to every user of this machine. It is for
	// tests.
	NoPassword bool

	// NoStandIn makes a missing redis-server an error (ErrNoRedis).
	NoStandIn bool

	// StandIn uses the stand-in although a redis-server may be there. It is
	// for tests of the stand-in.
	StandIn bool

	// Settings are more lines of the server's configuration file, for tests of
	// how several servers play together. The stand-in knows none.
	Settings []string

	// Sentinel runs the program as a Sentinel, which watches over others.
	Sentinel bool

	// Logger hears about starts at debug level. nil means silence.
	Logger *slog.Logger
}

// Redis is a running private server, or its in-process stand-in. Its methods
// may be called from several goroutines.
type Redis struct {
	opts     RedisOptions
	kind     string
	password string
	port     int

	standIn *miniredis.Miniredis // nil with a real server
	folder  *folder              // nil with the stand-in
	program string

	mu      sync.Mutex
	proc    *process
	stopped bool
}

// StartRedis starts a private redis-server or valkey-server and returns when
// it answers. Without either it starts a stand-in inside this process, which
// knows the commands that hitl uses and keeps nothing; Kind tells which it
// is.
func StartRedis(ctx context.Context, opts RedisOptions) (*Redis, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Redis{opts: opts}
	if !opts.NoPassword {
		r.password = newPassword()
	}
	if !opts.StandIn {
		r.program, r.kind = findRedis(ctx)
	}
	if r.program == "" {
		if opts.NoStandIn {
			return nil, ErrNoRedis
		}
		return r, r.startStandIn(ctx)
	}
	var err error
	if r.folder, err = openFolder(opts.Dir, "hitl-redis-"); err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		if r.port, err = freePort(ctx); err != nil {
			break
		}
		if err = r.run(ctx); !errors.Is(err, errPortTaken) || try == portTries {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(err, r.folder.close())
	}
	opts.Logger.DebugContext(ctx, "redis started", "kind", r.kind, "port", r.port, "dir", r.folder.path)
	return r, nil
}

func (r *Redis) startStandIn(ctx context.Context) error {
	r.kind = "in-process stand-in (miniredis)"
	r.standIn = miniredis.NewMiniRedis()
	r.standIn.RequireAuth(r.password)
	r.standIn.ClockTTL(true)
	if err := r.standIn.StartAddr("127.0.0.1:0"); err != nil {
		return fmt.Errorf("start stand-in for redis: %w", err)
	}
	port, err := strconv.Atoi(r.standIn.Port())
	if err != nil {
		return fmt.Errorf("read port of stand-in for redis: %w", err)
	}
	r.port = port
	r.opts.Logger.DebugContext(ctx, "redis started", "kind", r.kind, "port", r.port)
	return nil
}

var redisVersion = regexp.MustCompile(`v=((\d+)\.(\d+)\.\d+)`)

// findRedis returns a usable server program and its name for a person.
// Version 6.2 brought the command by which stalled deliveries are reclaimed.
func findRedis(ctx context.Context) (program, kind string) {
	for _, name := range []string{"redis-server", "valkey-server"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		out, err := exec.CommandContext(ctx, path, "--version").Output()
		if err != nil {
			continue
		}
		match := redisVersion.FindSubmatch(out)
		if match == nil {
			continue
		}
		major, errMajor := strconv.Atoi(string(match[2]))
		minor, errMinor := strconv.Atoi(string(match[3]))
		if errMajor != nil || errMinor != nil || major < 6 || major == 6 && minor < 2 {
			continue
		}
		return path, name + " " + string(match[1])
	}
	return "", ""
}

// run starts the program on r.port and returns when it answers. Its settings
// are in a file, where the password shows to nobody else.
func (r *Redis) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	conf, log := r.folder.join("redis.conf"), r.folder.join("redis.log")
	if err := os.WriteFile(conf, []byte(r.settings()), 0o600); err != nil {
		return fmt.Errorf("write redis settings: %w", err)
	}
	if err := os.Truncate(log, 0); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("empty server log: %w", err)
	}
	args := []string{conf}
	if r.opts.Sentinel {
		args = append(args, "--sentinel")
	}
	proc, err := startProcess(ctx, r.program, args, log, nil, syscall.SIGKILL)
	if err != nil {
		return err
	}
	if err := r.awaitReady(ctx, proc); err != nil {
		if !proc.exited() {
			return errors.Join(err, proc.kill())
		}
		tail := logTail(log)
		if strings.Contains(tail, "Address already in use") {
			return fmt.Errorf("start redis on port %d: %w", r.port, errPortTaken)
		}
		return fmt.Errorf("start redis: %w; it says:\n%s", err, tail)
	}
	r.proc = proc
	return nil
}

func (r *Redis) settings() string {
	appendonly := "no"
	if !r.folder.temporary {
		appendonly = "yes"
	}
	lines := []string{
		"bind 127.0.0.1",
		"port " + strconv.Itoa(r.port),
		"daemonize no",
		"dir " + strconv.Quote(r.folder.path),
		`save ""`,
		"appendonly " + appendonly,
	}
	if r.password != "" {
		lines = append(lines, "requirepass "+r.password)
	}
	lines = append(lines, r.opts.Settings...)
	return strings.Join(lines, "\n") + "\n"
}

// awaitReady returns when our own process answers: a stranger's server on
// the same port has another process id.
func (r *Redis) awaitReady(ctx context.Context, proc *process) error {
	ours := "process_id:" + strconv.Itoa(proc.cmd.Process.Pid) + "\r\n"
	for {
		info, err := r.info(ctx)
		if err == nil && strings.Contains(info, ours) {
			return nil
		}
		timer := time.NewTimer(5 * time.Millisecond)
		select {
		case <-proc.done:
			timer.Stop()
			return fmt.Errorf("server ended: %w", errors.Join(proc.err, err))
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("wait for server: %w", errors.Join(ctx.Err(), err))
		case <-timer.C:
		}
	}
}

// info knocks before it makes a client: one that met a closed port would log
// that, and wait a second before its next try. It fails while the server is
// still loading what it kept.
func (r *Redis) info(ctx context.Context) (string, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp4", r.Addr())
	if err != nil {
		return "", err
	}
	_ = conn.Close()
	client := redis.NewClient(&redis.Options{Addr: r.Addr(), Password: r.password, MaxRetries: -1, DialerRetries: 1, PoolSize: 1})
	defer func() { _ = client.Close() }()
	if err := client.Ping(ctx).Err(); err != nil {
		return "", err
	}
	return client.Info(ctx, "server").Result()
}

// Kind names the server for a person: "redis-server 7.0.15", or "in-process
// stand-in (miniredis)".
func (r *Redis) Kind() string { return r.kind }

// Addr is the server's host:port. It stays the same until Stop.
func (r *Redis) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port)) }

// Password is what the server asks for, "" for none.
func (r *Redis) Password() string { return r.password }

// URL is the server's address with its password, as redis.ParseURL reads it.
func (r *Redis) URL() string {
	u := url.URL{Scheme: "redis", Host: r.Addr(), Path: "/0"}
	if r.password != "" {
		u.User = url.UserPassword("", r.password)
	}
	return u.String()
}

// Stop ends the server and removes what it does not keep. It waits for the
// server's end, kills the server when that takes longer than ten seconds or
// ctx, and may be called again.
func (r *Redis) Stop(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return nil
	}
	r.stopped = true
	if r.standIn != nil {
		r.standIn.Close()
		return nil
	}
	return errors.Join(r.proc.stop(ctx, syscall.SIGTERM), r.folder.close())
}

// Kill ends the server as a crash would; the stand-in hangs up on everybody.
func (r *Redis) Kill() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return ErrStopped
	}
	if r.standIn != nil {
		r.standIn.Close()
		return nil
	}
	return r.proc.kill()
}

// Restart stops the server if it runs and starts it again on the same port
// with whatever it keeps: with a Dir what the append-only file holds, without
// one nothing. The stand-in starts empty.
func (r *Redis) Restart(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return ErrStopped
	}
	if r.standIn != nil {
		r.standIn.Close()
		r.standIn.FlushAll()
		if err := r.standIn.Restart(); err != nil {
			return fmt.Errorf("restart stand-in for redis: %w", err)
		}
		return nil
	}
	if err := r.proc.stop(ctx, syscall.SIGTERM); err != nil {
		return err
	}
	return r.run(ctx)
}
