package local

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	superuser     = "postgres"
	adminDatabase = "postgres"

	// startLimit bounds one start, recovery after a crash included.
	startLimit = 60 * time.Second
	// portTries bounds how often a port is chosen anew because somebody else
	// took it between the choice and PostgreSQL's bind.
	portTries = 5
)

// PostgresOptions says how to run a private PostgreSQL. The zero value is a
// good server for tests.
type PostgresOptions struct {
	// Dir keeps the data between runs. It is created when missing and belongs
	// to one process at a time (ErrInUse). "" means a temporary folder that
	// Stop removes.
	Dir string

	// Durable makes commits survive a crash of the machine. Without it, the
	// default, they survive a crash of the server only, and commits are
	// faster.
	Durable bool

	// Settings are settings of the server, as NAME=VALUE, before which ours
	// yield: those are for small data.
	Settings []string

	// Logger hears about starts and stops at debug level. nil means silence.
	Logger *slog.Logger

	// Progress receives lines for a person to read while PostgreSQL is
	// fetched or a new cluster is made. nil means silence.
	Progress io.Writer
}

// Postgres is a running private server. Its methods may be called from
// several goroutines.
type Postgres struct {
	opts     PostgresOptions
	folder   *folder
	programs binaries
	who      *account
	password string
	port     int // fixed by the first successful start

	mu      sync.Mutex
	proc    *process
	stopped bool
}

// StartPostgres starts a private PostgreSQL and returns when it answers.
//
// It uses the machine's own PostgreSQL, version 14 or later, and otherwise
// fetches one into the user's cache folder, about 15 MB, once. The server
// listens on 127.0.0.1 only, on a free port, behind a random password.
//
// A folder is laid out as data/ (the cluster), password (the superuser's),
// postgres.log and owner.lock. A folder that an older major version of
// PostgreSQL wrote needs that version again. A server left over by a killed
// process in the same folder is stopped first.
func StartPostgres(ctx context.Context, opts PostgresOptions) (*Postgres, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Progress == nil {
		opts.Progress = io.Discard
	}
	folder, err := openFolder(opts.Dir, "hitl-postgres-")
	if err != nil {
		return nil, err
	}
	p := &Postgres{opts: opts, folder: folder}
	if err := p.prepareAndRun(ctx); err != nil {
		return nil, errors.Join(err, folder.close())
	}
	return p, nil
}

func (p *Postgres) prepareAndRun(ctx context.Context) error {
	began := time.Now()
	var err error
	if p.who, err = serverAccount(); err != nil {
		return err
	}
	if p.folder.temporary && p.who != nil {
		// Ours alone by default; the server's account has to pass through.
		if err := os.Chmod(p.folder.path, 0o711); err != nil {
			return fmt.Errorf("open temporary folder to the server's account: %w", err)
		}
	}
	if err := p.who.mustReach(p.dataDir()); err != nil {
		return err
	}
	if err := p.prepareCluster(ctx); err != nil {
		return err
	}
	if err := stopLeftover(ctx, p.dataDir()); err != nil {
		return err
	}
	for try := 1; ; try++ {
		if p.port, err = freePort(ctx); err != nil {
			return err
		}
		if err = p.run(ctx); !errors.Is(err, errPortTaken) || try == portTries {
			break
		}
	}
	if err != nil {
		return err
	}
	p.opts.Logger.DebugContext(ctx, "postgres started", "version", p.programs.version,
		"port", p.port, "dir", p.folder.path, "took", time.Since(began))
	return nil
}

// errPortTaken says that another program took the chosen port.
var errPortTaken = errors.New("port is taken")

// run starts the server on p.port and returns when it answers.
func (p *Postgres) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		// The log of a failed start must be that start's.
		if err := os.Truncate(p.logPath(), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("empty server log: %w", err)
		}
		proc, err := startProcess(ctx, filepath.Join(p.programs.dir, "postgres"), p.arguments(), p.logPath(), p.who, syscall.SIGQUIT)
		if err != nil {
			return err
		}
		if err = p.awaitReady(ctx, proc); err == nil {
			p.proc = proc
			return nil
		}
		if !proc.exited() {
			return errors.Join(err, proc.kill())
		}
		tail := logTail(p.logPath())
		switch {
		case strings.Contains(tail, "could not bind") || strings.Contains(tail, "could not create any TCP/IP sockets"):
			return fmt.Errorf("start postgres on port %d: %w", p.port, errPortTaken)
		case strings.Contains(tail, "is still in use"):
			// Children of a killed server need a moment to notice its death.
			if err := sleep(ctx, 50*time.Millisecond); err != nil {
				return fmt.Errorf("wait for a killed postgres to end: %w", err)
			}
		default:
			return fmt.Errorf("start postgres: %w; it says:\n%s", err, tail)
		}
	}
}

func (p *Postgres) arguments() []string {
	settings := []string{
		"listen_addresses=127.0.0.1",
		"unix_socket_directories=",
		"max_connections=200",
		"shared_buffers=32MB",
		"timezone=UTC",
		"log_timezone=UTC",
		"logging_collector=off",
		"jit=off", // its compile time exceeds every query of ours
	}
	if !p.opts.Durable {
		settings = append(settings, "fsync=off", "full_page_writes=off")
	}
	settings = append(settings, p.opts.Settings...) // of two the later counts
	args := []string{"-D", p.dataDir(), "-p", strconv.Itoa(p.port)}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	return args
}

// awaitReady returns when the server accepts our password: a stranger's
// server on the same port would not.
func (p *Postgres) awaitReady(ctx context.Context, proc *process) error {
	for {
		err := p.ping(ctx)
		if err == nil {
			return nil
		}
		timer := time.NewTimer(20 * time.Millisecond)
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

func (p *Postgres) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, p.DSN())
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// DSN is the connection URL of the superuser and the database "postgres". It
// stays the same until Stop.
func (p *Postgres) DSN() string { return p.dsn(adminDatabase) }

func (p *Postgres) dsn(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, p.password),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Version is the server's version, such as "17.11".
func (p *Postgres) Version() string { return p.programs.version }

// Kind names the server for a person: "PostgreSQL 17.11".
func (p *Postgres) Kind() string { return "PostgreSQL " + p.programs.version }

func (p *Postgres) dataDir() string { return p.folder.join("data") }
func (p *Postgres) logPath() string { return p.folder.join("postgres.log") }

// freePort asks the system for a loopback port that is free now.
func freePort(ctx context.Context) (int, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find free port: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return 0, fmt.Errorf("free port: %w", err)
	}
	return port, nil
}

func newPassword() string { return rand.Text() }

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
