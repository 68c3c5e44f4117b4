package audit_test

import (
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"hitl/audit"
)

// An answer of Postgres' that is lost after the commit is the hardest case: the item is there, and still the caller gets the answer of a new one.
func TestAnswerLostAfterTheCommit(t *testing.T) {
	t.Parallel()
	owner, service := database(t)
	p := newLossyProxy(t, service)
	s := openWith(t, audit.Config{DSN: p.dsn, MaxConns: 1})
	mustAppend(t, s, sure("warm", "fine"), nil) // the statement is prepared now: the next append is one question and one answer
	p.lose.Store(true)
	rec := unsure("lost", "so so")
	stored, replayed, err := s.Append(t.Context(), rec, nil)
	if err != nil || replayed {
		t.Fatalf("Append: replayed %v, error %v", replayed, err)
	}
	if p.lose.Load() {
		t.Fatal("no answer was lost")
	}
	equal(t, "answer", stored, rec)
	equal(t, "items", scalar[int](t, pool(t, owner), `SELECT count(*) FROM hitl.items WHERE external_id = 'lost'`), 1)
	_, ofSource, err := s.Backlog(t.Context(), rec.Route.Queue, rec.Item.Source)
	if err != nil || ofSource != 1 {
		t.Errorf("backlog %d, error %v", ofSource, err)
	}
}

// lossyProxy stands before Postgres. When told to, it keeps the next answer to itself and hangs up.
type lossyProxy struct {
	dsn  string
	lose atomic.Bool
}

func newLossyProxy(t *testing.T, dsn string) *lossyProxy {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	server := u.Host
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u.Host = l.Addr().String()
	p := &lossyProxy{dsn: u.String()}
	var running sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		running.Wait()
	})
	running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { p.carry(client, server) })
		}
	})
	return p
}

func (p *lossyProxy) carry(client net.Conn, server string) {
	defer func() { _ = client.Close() }()
	upstream, err := net.Dial("tcp", server) //nolint:noctx // ends with the test's database
	if err != nil {
		return
	}
	defer func() { _ = upstream.Close() }()
	go func() {
		_, _ = io.Copy(upstream, client) // ends when either side hangs up
		_ = upstream.Close()
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := upstream.Read(buf)
		if err != nil || p.lose.CompareAndSwap(true, false) {
			return
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}
