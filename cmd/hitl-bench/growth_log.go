package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"hitl/audit"
	"hitl/audit/verify"
)

// long is a service whose log has so many entries of the past, and those who use it.
type long struct {
	*service
	entries int
	filled  float64 // entries a second
	whole   float64 // the same, of hitl verify; 0: it was not run
	store   *audit.Store
	key     string
	posts   *clients
	conn    *pgx.Conn
}

// openLongLog fills logs. Their trees grow, and the services start, in the first step.
func openLongLog(ctx context.Context, b *bench) (*growing, error) {
	g := &growing{sizes: []int{10_000, 1_000_000, 10_000_000}}
	if b.Quick {
		g.sizes = []int{1_000, 10_000}
	}
	bin, err := b.binary(ctx)
	if err != nil {
		return nil, err
	}
	var all []*long
	for _, n := range g.sizes {
		l, err := b.openLong(ctx, n)
		if err != nil {
			return nil, fmt.Errorf("%d entries: %w", n, err)
		}
		all = append(all, l)
	}
	items, reads := b.size(3200, 160), b.size(200, 20)
	g.steps = []step{
		{
			once:    true,
			figures: []figure{{name: "tree built", unit: "entries/s", reach: atLeast(0.9)}, {name: "bytes of an entry", unit: "B", reach: atMost(1.1)}},
			run: func(ctx context.Context, at int) ([]float64, error) {
				rate, err := all[at].build(ctx)
				if err != nil {
					return nil, err
				}
				bytes, err := all[at].bytes(ctx)
				if err != nil {
					return nil, err
				}
				return []float64{rate, bytes}, all[at].start(ctx, b)
			},
		},
		{
			figures: []figure{{name: "items posted", unit: "1/s", reach: atLeast(0.9)}},
			run: func(ctx context.Context, at int) ([]float64, error) {
				rate, err := all[at].posts.run(ctx, items)
				return []float64{rate}, err
			},
		},
		{
			figures: []figure{{name: "item read", unit: "ms"}},
			run:     func(ctx context.Context, at int) ([]float64, error) { return all[at].read(ctx, reads, "") },
		},
		{
			figures: []figure{{name: "item's entries and proof read", unit: "ms"}},
			run:     func(ctx context.Context, at int) ([]float64, error) { return all[at].read(ctx, reads, "/log") },
		},
		{
			once:    true,
			figures: []figure{{name: "log verified", unit: "entries/s", reach: atLeast(0.9)}},
			run: func(ctx context.Context, at int) ([]float64, error) {
				if all[at].entries <= wholeMost {
					if err := all[at].verifyAll(ctx, bin); err != nil {
						return nil, err
					}
				}
				rate, err := all[at].verify(ctx)
				return []float64{rate}, err
			},
		},
	}
	g.note = func() string {
		var filled, whole []string
		for _, l := range all {
			filled = append(filled, fmt.Sprintf("%s at %s/s", thousands(l.entries), digits(l.filled)))
			if l.whole > 0 {
				whole = append(whole, fmt.Sprintf("%s at %s/s", thousands(l.entries), digits(l.whole)))
			}
		}
		return "one entry of each item, at times spread over twelve months; written " + strings.Join(filled, ", ") + fmt.Sprintf(", %d a transaction. An entry's bytes are those of the log, its positions, its tiles and their indexes. %d items a run by %d clients; %d reads a run of items by "+
			"chance, of which this is the median. The tree is built and the log verified once: over everything. hitl verify, which compares items, texts and decisions with the log, too: %s",
			fillBatch, items, clientCount, reads, strings.Join(whole, ", "))
	}
	return g, nil
}

// openLong makes a database with a long log.
func (b *bench) openLong(ctx context.Context, entries int) (*long, error) {
	l := &long{entries: entries}
	database, err := b.migrated(ctx)
	if err != nil {
		return nil, err
	}
	l.service = &service{database: database}
	if l.key, err = newLogKey(); err != nil {
		return nil, err
	}
	if l.conn, err = b.connect(ctx, database); err != nil {
		return nil, err
	}
	b.say("  writing %s entries", thousands(entries))
	rate, err := perSecond(entries, func(ctx context.Context) error { return fill(ctx, database, entries) })(ctx)
	if err != nil {
		return nil, fmt.Errorf("fill log: %w", err)
	}
	l.filled = rate
	b.say("  written, %s a second", digits(rate))
	as, err := asService(database)
	if err != nil {
		return nil, err
	}
	l.store, err = audit.Open(ctx, audit.Config{DSN: as})
	if err == nil {
		b.onRowEnd(func(context.Context) error { l.store.Close(); return nil })
	}
	return l, err
}

// build gives all entries their positions in the tree, signs its first checkpoint, and returns how many entries a second that were.
func (l *long) build(ctx context.Context) (float64, error) {
	return perSecond(l.entries, func(ctx context.Context) error {
		_, err := l.store.Checkpoint(ctx, l.key)
		return err
	})(ctx)
}

// bytes is what an entry takes on the disk: tables, what they keep beside, and indexes. The log may be a table of parts.
func (l *long) bytes(ctx context.Context) (each float64, err error) {
	err = l.conn.QueryRow(ctx, `
		SELECT sum(pg_total_relation_size(coalesce(part.relid, kept)))::float8 / (SELECT size FROM hitl.log_tree)
		FROM unnest('{hitl.log, hitl.log_positions, hitl.log_tiles}'::regclass[]) AS kept LEFT JOIN pg_partition_tree(kept) AS part ON true`).Scan(&each)
	return each, err
}

// start starts the service.
func (l *long) start(ctx context.Context, b *bench) error {
	svc, err := b.serve(ctx, settings{Database: l.database, LogKey: l.key})
	if err != nil {
		return err
	}
	l.service, l.posts = svc, b.newClients(svc.url, 1)
	return nil
}

// read asks for so many of the old items, one after the other, and returns the median time in milliseconds.
func (l *long) read(ctx context.Context, n int, what string) ([]float64, error) {
	var took []float64
	for range n {
		begin := time.Now()
		if _, err := read(ctx, fmt.Sprintf("%s/v1/items/itm_%026d%s", l.url, 1+rand.IntN(l.entries-1), what)); err != nil { //nolint:gosec // which ones is no secret
			return nil, err
		}
		took = append(took, time.Since(begin).Seconds()*1000)
	}
	slices.Sort(took)
	return []float64{took[len(took)/2]}, nil
}

// verify reads the whole log and its tree, with what was posted, and returns how many entries a second those were.
func (l *long) verify(ctx context.Context) (float64, error) {
	key, _, err := verify.VerifierOf(l.key)
	if err != nil {
		return 0, err
	}
	v := verify.New(key)
	begin := time.Now()
	if err := l.store.VerifyLog(ctx, v); err != nil {
		return 0, err
	}
	r := v.Finish()
	if !r.OK() || r.Entries < int64(l.entries) {
		return 0, fmt.Errorf("a good log is found wrong: %+v", r)
	}
	return float64(r.Entries) / time.Since(begin).Seconds(), nil
}

// wholeMost is the longest log that hitl verify is run over: comparing the record takes several times as long as the log itself.
const wholeMost = 1_000_000

// verifyAll runs hitl verify, and notes how many entries a second it looked at.
func (l *long) verifyAll(ctx context.Context, bin string) error {
	var size int
	if err := l.conn.QueryRow(ctx, `SELECT size FROM hitl.log_tree`).Scan(&size); err != nil {
		return err
	}
	var err error
	l.whole, err = perSecond(size, func(ctx context.Context) error {
		if out, err := exec.CommandContext(ctx, bin, "--config", l.config, "verify").CombinedOutput(); err != nil {
			return fmt.Errorf("hitl verify: %w\n%s", err, out[:min(len(out), 2000)])
		}
		return nil
	})(ctx)
	return err
}
