package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// prepareCluster chooses the programs and leaves a cluster they can run: the
// one in the data folder, or a new one.
func (p *Postgres) prepareCluster(ctx context.Context) error {
	version, err := os.ReadFile(filepath.Join(p.dataDir(), "PG_VERSION"))
	switch {
	case err == nil:
		return p.adoptCluster(ctx, strings.TrimSpace(string(version)))
	case !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("read cluster's version: %w", err)
	}

	var failures []error
	for _, candidate := range findPostgres(ctx) {
		err := p.initialise(ctx, candidate)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return err
		}
		failures = append(failures, err)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("find PostgreSQL: %w", ctx.Err())
	}
	fetched, err := p.fetched(ctx)
	if err == nil {
		err = p.initialise(ctx, fetched)
	}
	if err != nil {
		return fmt.Errorf("no PostgreSQL to run (install PostgreSQL %d or later): %w", oldestPostgres, errors.Join(append(failures, err)...))
	}
	return nil
}

// adoptCluster finds programs of the major version that wrote the cluster.
func (p *Postgres) adoptCluster(ctx context.Context, written string) error {
	password, err := os.ReadFile(p.folder.join("password"))
	if err != nil {
		return fmt.Errorf("read cluster's password: %w", err)
	}
	p.password = strings.TrimSpace(string(password))
	major, err := strconv.Atoi(written)
	if err != nil {
		return fmt.Errorf("read cluster's version: %w", err)
	}
	installed := findPostgres(ctx)
	if major == fetchedMajor {
		if b, err := p.fetched(ctx); err == nil {
			installed = append(installed, b)
		}
	}
	for _, b := range installed {
		if b.major == major {
			p.programs = b
			return nil
		}
	}
	return fmt.Errorf("data in %s was written by PostgreSQL %d, which is not installed: install it, or choose another data folder", p.folder.path, major)
}

// fetched returns the programs from the cache, downloading them first when
// they are not there.
func (p *Postgres) fetched(ctx context.Context) (binaries, error) {
	cache, err := cacheFolder(p.who)
	if err != nil {
		return binaries{}, err
	}
	from, err := repository()
	if err != nil {
		return binaries{}, err
	}
	f := fetcher{repository: from, builds: builds, cache: cache, progress: p.opts.Progress}
	dir, err := f.fetch(ctx, thisPlatform())
	if err != nil {
		return binaries{}, err
	}
	return inspect(ctx, dir)
}

// initialise makes a new cluster with the given programs. The cluster gets
// its final name when it is complete, so that a killed initdb leaves nothing
// that could be taken for one.
func (p *Postgres) initialise(ctx context.Context, programs binaries) error {
	_, _ = fmt.Fprintf(p.opts.Progress, "Preparing a private PostgreSQL %s\n", programs.version)
	fresh := p.folder.join("data.new")
	if err := os.RemoveAll(fresh); err != nil {
		return fmt.Errorf("remove unfinished cluster: %w", err)
	}
	if err := os.Mkdir(fresh, 0o700); err != nil {
		return fmt.Errorf("create cluster's folder: %w", err)
	}
	if err := p.who.own(fresh); err != nil {
		return err
	}
	password := newPassword()
	if err := os.WriteFile(p.folder.join("password"), []byte(password+"\n"), 0o600); err != nil {
		return fmt.Errorf("keep cluster's password: %w", err)
	}
	// initdb runs as another account than ours and reads a copy of its own.
	copied := p.folder.join("password.initdb")
	if err := os.WriteFile(copied, []byte(password+"\n"), 0o600); err != nil {
		return fmt.Errorf("hand over cluster's password: %w", err)
	}
	defer func() { _ = os.Remove(copied) }()
	if err := p.who.own(copied); err != nil {
		return err
	}

	args := []string{
		"-D", fresh, "-U", superuser, "--pwfile", copied,
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", clusterLocale(),
		"--no-sync", "--no-instructions",
	}
	if err := p.runInitdb(ctx, programs, args); err != nil {
		return err
	}
	if err := os.Rename(fresh, p.dataDir()); err != nil {
		return fmt.Errorf("name new cluster: %w", err)
	}
	p.programs, p.password = programs, password
	return nil
}

func (p *Postgres) runInitdb(ctx context.Context, programs binaries, args []string) error {
	initdb := filepath.Join(programs.dir, "initdb")
	proc, err := startProcess(ctx, initdb, args, p.logPath(), p.who, syscall.SIGKILL)
	if err != nil {
		return err
	}
	select {
	case <-proc.done:
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("run initdb: %w", ctx.Err()), proc.kill())
	}
	if proc.err != nil {
		return fmt.Errorf("run %s: %w; it says:\n%s", initdb, proc.err, logTail(p.logPath()))
	}
	return nil
}

// clusterLocale sorts by code point and knows Unicode's letters; where the
// system has no such locale, it knows ASCII's.
func clusterLocale() string {
	if runtime.GOOS == "linux" {
		return "C.UTF-8"
	}
	return "C"
}
