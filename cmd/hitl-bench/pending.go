package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"hitl/audit"
	"hitl/bot/slacksim"
)

// backlog is a service with many reviews that wait.
type backlog struct {
	*service
	posts *clients
	shown *cards
	conn  *pgx.Conn
}

// openPending holds the work of people at a service with a long backlog against the same at one with a short one.
func openPending(ctx context.Context, b *bench) (*pair, error) {
	large, small, err := b.backlogs(ctx)
	if err != nil {
		return nil, err
	}
	n := b.size(400, 20)
	return &pair{
		unit: "cycles/s",
		ours: func(ctx context.Context) (float64, error) { return large.cycles(ctx, n) },
		peer: func(ctx context.Context) (float64, error) { return small.cycles(ctx, n) },
		note: func() string {
			return fmt.Sprintf("a cycle: an item is posted, a card claimed and decided, while the next cards are shown; %d a run, %d at once, in %d queues; %s pending against %s",
				n, cyclists, boards, b.large(), b.small())
		},
	}, nil
}

// openMemory holds the memory of a service with a long backlog against that of one with a short one, after the queue was rebuilt and people worked.
func openMemory(ctx context.Context, b *bench) (*pair, error) {
	large, small, err := b.backlogs(ctx)
	if err != nil {
		return nil, err
	}
	n := b.size(50, 10)
	use := func(l *backlog) side {
		return func(ctx context.Context) (float64, error) {
			if _, err := l.cycles(ctx, n); err != nil {
				return 0, err
			}
			return residentMiB(l.pid)
		}
	}
	return &pair{
		unit: "MiB", ours: use(large), peer: use(small),
		note: func() string { return fmt.Sprintf("resident set, %s pending against %s", b.large(), b.small()) },
	}, nil
}

func (b *bench) large() string { return strconv.Itoa(b.size(1_000_000, 20_000)) }
func (b *bench) small() string { return strconv.Itoa(b.size(10_000, 2_000)) }

// backlogs start both services.
func (b *bench) backlogs(ctx context.Context) (large, small *backlog, err error) {
	if large, err = b.openBacklog(ctx, b.size(1_000_000, 20_000)); err != nil {
		return nil, nil, err
	}
	small, err = b.openBacklog(ctx, b.size(10_000, 2_000))
	return large, small, err
}

// cyclists are how many people work at once.
const cyclists = 8

func (b *bench) openBacklog(ctx context.Context, reviews int) (*backlog, error) {
	database, err := b.seeded(ctx, reviews)
	if err != nil {
		return nil, err
	}
	svc, err := b.serve(ctx, settings{Database: database, Review: true, Queues: boards, OpenLimit: b.size(10, 1), ClaimFor: "15m"})
	if err != nil {
		return nil, err
	}
	l := &backlog{service: svc, posts: b.newClients(svc.url, boards), shown: &cards{sim: svc.slack.sim}}
	if l.conn, err = b.connect(ctx, database); err != nil {
		return nil, err
	}
	return l, b.waitQueued(ctx, svc.prefix, boards, int64(reviews)-10*boards) // some have left it for their cards
}

// cycles has people do so many cycles, and returns how many a second. The cards that they begin with are shown before.
func (l *backlog) cycles(ctx context.Context, n int) (float64, error) {
	before, err := l.decided(ctx)
	if err != nil {
		return 0, err
	}
	open, err := l.shown.take(ctx, n)
	if err != nil {
		return 0, err
	}
	rate, err := perSecond(n, func(ctx context.Context) error {
		return spread(cyclists, n, func(i int) error { return l.cycle(ctx, open[i]) })
	})(ctx)
	if err != nil {
		return 0, err
	}
	after, err := l.decided(ctx)
	if err == nil && after-before != n {
		err = fmt.Errorf("%d reviews were decided, want %d", after-before, n)
	}
	return rate, err
}

func (l *backlog) cycle(ctx context.Context, card slacksim.Message) error {
	if err := l.posts.post(ctx); err != nil {
		return err
	}
	for _, action := range []string{"hitl_claim", "hitl_accept"} {
		if _, err := press(ctx, l.slack.sim, card, action); err != nil {
			return fmt.Errorf("press %s: %w", action, err)
		}
	}
	return nil
}

func (l *backlog) decided(ctx context.Context) (n int, err error) {
	err = l.conn.QueryRow(ctx, `SELECT count(*) FROM hitl.decisions`).Scan(&n)
	return n, err
}

// residentMiB is how much memory a process holds.
func residentMiB(pid int) (float64, error) {
	value := strings.TrimSuffix(field(fmt.Sprintf("/proc/%d/status", pid), "VmRSS"), " kB")
	if value == "" {
		return 0, missing("it reads /proc, which this system has not: run it on Linux")
	}
	kb, err := strconv.ParseFloat(value, 64)
	return kb / 1024, err
}

// seeded makes a database with so many open reviews, each of an item of its own; the second time as a copy of the first. Their entries in the log are
// left out: nothing that is measured reads them.
func (b *bench) seeded(ctx context.Context, reviews int) (string, error) {
	pg, err := b.postgres(ctx)
	if err != nil {
		return "", err
	}
	template, ok := b.seeds[reviews]
	if !ok {
		b.say("  writing %d open reviews", reviews)
		template = b.name("seed")
		dsn, err := pg.NewDatabase(ctx, template)
		if err != nil {
			return "", err
		}
		if err := seed(ctx, dsn, reviews); err != nil {
			return "", fmt.Errorf("write open reviews: %w", err)
		}
		b.seeds[reviews] = template
	}
	name := b.name("backlog")
	b.onRowEnd(func(ctx context.Context) error { return pg.DropDatabase(ctx, name) })
	return pg.CloneDatabase(ctx, name, template)
}

// seed writes one review as intake does, and its copies.
func seed(ctx context.Context, dsn string, reviews int) error {
	if err := migrate(ctx, dsn); err != nil {
		return err
	}
	store, err := audit.Open(ctx, audit.Config{DSN: dsn})
	if err != nil {
		return err
	}
	rec := newRecord(true)
	_, _, err = store.Append(ctx, rec, nil)
	store.Close()
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	inQueue := fmt.Sprintf("'q' || lpad((i %% %d)::text, 2, '0')", boards) // as queueName has it
	for _, t := range []struct {
		table, item string
		other       map[string]string // columns besides that are another one's in each copy
	}{
		{"items", "id", map[string]string{"external_id": "'old-' || i", "queue": inQueue}},
		{"item_texts", "item_id", nil},
		{"reviews", "item_id", map[string]string{"id": "'rev_' || lpad(i::text, 26, '0')", "queue": inQueue}},
	} {
		insert, err := copies(ctx, conn, t.table, t.item, t.other)
		if err != nil {
			return err
		}
		if _, err := conn.Exec(ctx, insert, rec.Item.ID, 1, reviews-1); err != nil {
			return fmt.Errorf("table %s: %w", t.table, err)
		}
	}
	_, err = conn.Exec(ctx, `VACUUM ANALYZE`)
	return err
}

// copies is the statement that copies the row of item $1 for items numbered $2 to $3, whose ids come of their numbers. other are the expressions, in the
// number i, of what else is another one's in each copy. What Postgres fills in by itself is left to it.
func copies(ctx context.Context, conn *pgx.Conn, table, item string, other map[string]string) (string, error) {
	rows, err := conn.Query(ctx, `
		SELECT attname FROM pg_attribute
		WHERE attrelid = ('hitl.' || $1)::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = '' AND atttypid <> 'xid8'::regtype`, table)
	if err != nil {
		return "", err
	}
	columns, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return "", err
	}
	values := make([]string, len(columns))
	for i, c := range columns {
		switch {
		case c == item:
			values[i] = "'itm_' || lpad(i::text, 26, '0')"
		case other[c] != "":
			values[i] = other[c]
		default:
			values[i] = "t." + c
		}
	}
	return fmt.Sprintf(`INSERT INTO hitl.%s (%s) SELECT %s FROM hitl.%s t, generate_series($2::int, $3::int) i WHERE t.%s = $1`,
		table, strings.Join(columns, ", "), strings.Join(values, ", "), table, item), nil
}
