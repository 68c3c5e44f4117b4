package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"hitl/deploy/local"
)

// bench is what rows share. Servers and the binary are there once a row has asked for them; they stay until the end.
type bench struct {
	options
	say func(format string, args ...any)
	dir string

	pg    *local.Postgres
	rd    *local.Redis
	bin   string
	names int               // given out
	peers map[string]string // versions of what rows met, by name
	seeds map[int]string    // databases to copy, by how many reviews wait in them
	logs  map[string]string // files of what was spawned, by the origin of its URL

	rowStops []func(context.Context) error // of the row that runs
}

func newBench(o options, say func(string, ...any)) (*bench, error) {
	b := &bench{options: o, say: say, peers: map[string]string{}, seeds: map[int]string{}, logs: map[string]string{}}
	var err error
	if b.Cache, err = filepath.Abs(b.Cache); err != nil {
		return nil, err
	}
	if b.dir, err = os.MkdirTemp("", "hitl-bench-"); err != nil {
		return nil, fmt.Errorf("make data folder: %w", err)
	}
	// Postgres runs as another user when this is root, so that user must be able to pass through.
	return b, os.Chmod(b.dir, 0o755) //nolint:gosec // what is secret in it is closed by itself
}

// size is how much of something a row works on.
func (b *bench) size(full, quick int) int {
	if b.Quick {
		return quick
	}
	return full
}

// onRowEnd has f called when the row that runs now has ended.
func (b *bench) onRowEnd(f func(context.Context) error) { b.rowStops = append(b.rowStops, f) }

func (b *bench) endRow(ctx context.Context) error {
	var errs []error
	for _, f := range slices.Backward(b.rowStops) {
		errs = append(errs, f(ctx))
	}
	b.rowStops = nil
	return errors.Join(errs...)
}

// stop stops the servers and removes all data.
func (b *bench) stop(ctx context.Context) error {
	errs := []error{b.endRow(ctx)}
	if b.rd != nil {
		errs = append(errs, b.rd.Stop(ctx))
	}
	if b.pg != nil {
		errs = append(errs, b.pg.Stop(ctx))
	}
	return errors.Join(append(errs, os.RemoveAll(b.dir))...)
}

// serverSettings are of a server for a few gigabytes of data: memory for what is used, and checkpoints minutes apart.
var serverSettings = []string{"shared_buffers=1GB", "max_wal_size=4GB", "checkpoint_timeout=15min"}

// postgres is a private server that keeps its promises to the disk, as hitl demands of one.
func (b *bench) postgres(ctx context.Context) (_ *local.Postgres, err error) {
	if b.pg == nil {
		b.say("  starting postgres")
		b.pg, err = local.StartPostgres(ctx, local.PostgresOptions{Dir: filepath.Join(b.dir, "postgres"), Durable: true, Settings: serverSettings})
	}
	return b.pg, err
}

// redis is a private server, never the stand-in.
func (b *bench) redis(ctx context.Context) (_ *local.Redis, err error) {
	if b.rd == nil {
		b.say("  starting redis")
		b.rd, err = local.StartRedis(ctx, local.RedisOptions{Dir: filepath.Join(b.dir, "redis"), NoStandIn: true})
		if errors.Is(err, local.ErrNoRedis) {
			return nil, missing("it needs redis-server or valkey-server 6.2 or later: install one")
		}
	}
	return b.rd, err
}

// database makes a new empty database and returns the URL of its owner. It is dropped when the row ends.
func (b *bench) database(ctx context.Context, name string) (string, error) {
	pg, err := b.postgres(ctx)
	if err != nil {
		return "", err
	}
	name = b.name(name)
	dsn, err := pg.NewDatabase(ctx, name)
	if err != nil {
		return "", err
	}
	b.onRowEnd(func(ctx context.Context) error { return pg.DropDatabase(ctx, name) })
	return dsn, nil
}

// name makes a word into a name that nothing else of this run has.
func (b *bench) name(word string) string {
	b.names++
	return fmt.Sprintf("bench_%s_%d", word, b.names)
}

// binary is hitl, built now unless one was named.
func (b *bench) binary(ctx context.Context) (_ string, err error) {
	switch {
	case b.bin != "":
	case b.Hitl != "":
		b.bin, err = filepath.Abs(b.Hitl)
	default:
		b.say("  building hitl")
		bin := filepath.Join(b.dir, "hitl")
		if out, err := exec.CommandContext(ctx, "go", "build", "-o", bin, "hitl/cmd/hitl").CombinedOutput(); err != nil {
			return "", fmt.Errorf("build hitl: %w\n%s", err, out)
		}
		b.bin = bin
	}
	return b.bin, err
}

// versions are those of what ran.
func (b *bench) versions(ctx context.Context) map[string]string {
	v := map[string]string{"Go": strings.TrimPrefix(runtime.Version(), "go")}
	if b.pg != nil {
		v["PostgreSQL"] = b.pg.Version()
	}
	if b.rd != nil {
		v["Redis"] = b.rd.Kind()
	}
	maps.Copy(v, b.peers)
	if b.bin != "" {
		var said struct {
			Version string `json:"version"`
		}
		out, err := exec.CommandContext(ctx, b.bin, "version", "--json").Output()
		if err == nil && json.Unmarshal(out, &said) == nil {
			v["hitl"] = said.Version
		}
	}
	return v
}
