package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"hitl"
)

func TestReadError(t *testing.T) {
	t.Parallel()
	pg := func(code string) error { return fmt.Errorf("query: %w", &pgconn.PgError{Code: code}) }
	for _, test := range []struct {
		err  error
		away bool
	}{
		{&net.OpError{Op: "read", Err: errors.New("connection reset by peer")}, true},
		{fmt.Errorf("receive: %w", io.ErrUnexpectedEOF), true},
		{pg("57P01"), true},
		{pg("57P03"), true},
		{pg("53300"), true},
		{pg("08006"), true},
		{pg("57014"), false}, // cancelled by statement_timeout
		{pg("42P01"), false}, // no such table
		{pg(""), false},
		{fmt.Errorf("timeout: %w", context.DeadlineExceeded), false},
		{context.Canceled, false},
		{errors.New("cannot scan"), false},
	} {
		err := readError("query record", test.err)
		if !errors.Is(err, test.err) || errors.Is(err, hitl.ErrUnavailable) != test.away {
			t.Errorf("%v: %v", test.err, err)
		}
	}
}

// Every read says that the database is out of reach, so that upstreams are told to come back.
func TestReadsWithoutPostgres(t *testing.T) {
	t.Parallel()
	s := &Store{cfg: Config{}.withDefaults(), backlog: newBacklog(), pool: unreachable(t)}
	ctx := t.Context()
	_, item := s.Item(ctx, "itm_1")
	_, find := s.Find(ctx, "a", "1")
	_, review := s.Review(ctx, "rev_1")
	_, log := s.Log(ctx, "itm_1")
	_, _, backlog := s.Backlog(ctx, "support", "shop")
	now := s.cfg.Now()
	_, stats := s.Stats(ctx, hitl.StatsQuery{Since: now.Add(-1), Until: now.Add(1000)})
	for what, err := range map[string]error{"item": item, "find": find, "review": review, "log": log, "backlog": backlog, "stats": stats} {
		if !errors.Is(err, hitl.ErrUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// unreachable is a pool of connections to a port on which nobody listens.
func unreachable(t *testing.T) *pgxpool.Pool {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	pool, err := pgxpool.New(t.Context(), "postgres://nobody@"+l.Addr().String()+"/none")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}
