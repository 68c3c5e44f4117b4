package local

import (
	"context"
	"errors"
	"fmt"
	"maps"
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

	"github.com/jackc/pgx/v5"
)

// ErrNoPgBouncer is returned when there is no PgBouncer on this machine.
var ErrNoPgBouncer = errors.New("no pgbouncer found: install it (Debian: apt install pgbouncer)")

// PgBouncerOptions says how to run a private PgBouncer. The zero value pools
// by transaction, with PgBouncer's own defaults otherwise.
type PgBouncerOptions struct {
	// Passwords are those of the roles that may connect, besides the
	// superuser.
	Passwords map[string]string

	// Settings are more of the section [pgbouncer], or others than ours.
	Settings map[string]string
}

// PgBouncer is a running private connection pooler in front of a Postgres. It
// is for tests of what works behind one.
type PgBouncer struct {
	folder  *folder
	who     *account
	version string
	port    int

	mu      sync.Mutex
	proc    *process
	stopped bool
}

// StartPgBouncer starts a PgBouncer in transaction mode in front of pg, and
// returns when it answers. Without the program it returns ErrNoPgBouncer.
func StartPgBouncer(ctx context.Context, pg *Postgres, opts PgBouncerOptions) (*PgBouncer, error) {
	program, version := findPgBouncer(ctx)
	if program == "" {
		return nil, ErrNoPgBouncer
	}
	folder, err := openFolder("", "hitl-pgbouncer-")
	if err != nil {
		return nil, err
	}
	b := &PgBouncer{folder: folder, version: version}
	if err := b.prepareAndRun(ctx, program, pg, opts); err != nil {
		return nil, errors.Join(err, folder.close())
	}
	return b, nil
}

var pgBouncerVersion = regexp.MustCompile(`PgBouncer (\d+\.\d+\.\d+)`)

// findPgBouncer looks beside PATH too, for Debian installs it where only root
// looks.
func findPgBouncer(ctx context.Context) (program, version string) {
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		out, err := exec.CommandContext(ctx, path, "--version").Output()
		if err != nil {
			continue
		}
		if match := pgBouncerVersion.FindSubmatch(out); match != nil {
			return path, string(match[1])
		}
	}
	return "", ""
}

func (b *PgBouncer) prepareAndRun(ctx context.Context, program string, pg *Postgres, opts PgBouncerOptions) error {
	var err error
	if b.who, err = serverAccount(); err != nil { // it refuses to run as root, as PostgreSQL does
		return err
	}
	if b.who != nil {
		// Ours alone by default; the server's account has to pass through.
		if err := os.Chmod(b.folder.path, 0o711); err != nil {
			return fmt.Errorf("open temporary folder to the server's account: %w", err)
		}
	}
	if err := b.who.mustReach(b.folder.join("pgbouncer.ini")); err != nil {
		return err
	}
	var users strings.Builder
	fmt.Fprintf(&users, "%q %q\n", superuser, pg.password)
	for role, password := range opts.Passwords {
		fmt.Fprintf(&users, "%q %q\n", role, password)
	}
	if err := b.write("users.txt", users.String()); err != nil {
		return err
	}
	for try := 1; ; try++ {
		if b.port, err = freePort(ctx); err != nil {
			return err
		}
		if err := b.write("pgbouncer.ini", b.settings(pg, opts.Settings)); err != nil {
			return err
		}
		if err = b.run(ctx, program, pg); !errors.Is(err, errPortTaken) || try == portTries {
			return err
		}
	}
}

// write leaves a file that only the server's account can read.
func (b *PgBouncer) write(name, text string) error {
	path := b.folder.join(name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write pgbouncer's %s: %w", name, err)
	}
	return b.who.own(path)
}

func (b *PgBouncer) settings(pg *Postgres, more map[string]string) string {
	settings := map[string]string{
		"listen_addr": "127.0.0.1", "listen_port": strconv.Itoa(b.port), "unix_socket_dir": "",
		"auth_type": "scram-sha-256", "auth_file": b.folder.join("users.txt"), "pool_mode": "transaction",
	}
	maps.Copy(settings, more)
	lines := []string{"[databases]", "* = host=127.0.0.1 port=" + strconv.Itoa(pg.port), "[pgbouncer]"}
	for name, value := range settings {
		lines = append(lines, name+" = "+value)
	}
	return strings.Join(lines, "\n") + "\n"
}

func (b *PgBouncer) run(ctx context.Context, program string, pg *Postgres) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	log := b.folder.join("pgbouncer.log")
	proc, err := startProcess(ctx, program, []string{b.folder.join("pgbouncer.ini")}, log, b.who, syscall.SIGKILL)
	if err != nil {
		return err
	}
	dsn, err := b.DSN(pg.DSN())
	if err != nil {
		return errors.Join(err, proc.kill())
	}
	for {
		// Our random password is accepted by our own process alone.
		conn, err := pgx.Connect(ctx, dsn)
		if err == nil {
			b.proc = proc
			return conn.Close(ctx)
		}
		timer := time.NewTimer(10 * time.Millisecond)
		select {
		case <-proc.done:
			timer.Stop()
			if strings.Contains(logTail(log), "Address already in use") {
				return fmt.Errorf("start pgbouncer on port %d: %w", b.port, errPortTaken)
			}
			return fmt.Errorf("start pgbouncer: %w; it says:\n%s", errors.Join(proc.err, err), logTail(log))
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(fmt.Errorf("wait for pgbouncer: %w", errors.Join(ctx.Err(), err)), proc.kill())
		case <-timer.C:
		}
	}
}

// DSN is the way through the pooler to what a URL of its Postgres names.
func (b *PgBouncer) DSN(direct string) (string, error) {
	u, err := url.Parse(direct)
	if err != nil {
		return "", fmt.Errorf("read database URL: %w", err)
	}
	u.Host = net.JoinHostPort("127.0.0.1", strconv.Itoa(b.port))
	return u.String(), nil
}

// Version is the pooler's, such as "1.18.0". From 1.21 on it can keep
// prepared statements, if max_prepared_statements says so.
func (b *PgBouncer) Version() string { return b.version }

// Stop ends the pooler, disconnecting its clients, and removes its folder. It
// may be called again.
func (b *PgBouncer) Stop(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return nil
	}
	b.stopped = true
	return errors.Join(b.proc.stop(ctx, syscall.SIGTERM), b.folder.close())
}
