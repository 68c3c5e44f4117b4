package audit_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hitl"
	"hitl/audit"
	"hitl/deploy/local/localtest"
)

func TestAppendKeepsEverything(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	failed := unsure("failed", "odd \u202e text <!channel> =1+1")
	failed.Failure, failed.Prediction = "model error", hitl.Prediction{Model: "m1", Truncated: true}
	failed.Review.ExpiresAt = time.Time{}
	failed.Item.Subject = "customer-1"
	for _, rec := range []hitl.Record{sure("a", "fine"), unsure("b", "so so"), failed} {
		equal(t, "answer", mustAppend(t, s, rec, nil), rec)
		found, err := s.Find(t.Context(), "mail", rec.Item.ExternalID)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "found", found, rec)
		item, err := s.Item(t.Context(), rec.Item.ID)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "item", item, rec)
		stored, replayed, err := s.Append(t.Context(), rec, nil)
		if err != nil || !replayed {
			t.Fatalf("Append again: replayed %v, error %v", replayed, err)
		}
		equal(t, "replayed", stored, rec)
	}
	for _, missing := range []error{
		second(s.Find(t.Context(), "mail", "none")), second(s.Item(t.Context(), "none")), second(s.Review(t.Context(), "none")),
		second(s.Log(t.Context(), "none")), second(s.Wait(t.Context(), "none")),
	} {
		if !errors.Is(missing, hitl.ErrNotFound) {
			t.Errorf("error of a missing record is %v", missing)
		}
	}
}

// A connection that is cut leaves the caller in no doubt: what is written is written once, and answered as new.
func TestConnectionsCut(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	cut := func() {
		if _, err := owner.Exec(t.Context(), `
			SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'hitl'`); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5 {
		rec := unsure(fmt.Sprint(i), "so so")
		cut()
		stored, replayed, err := s.Append(t.Context(), rec, callback(rec))
		if err != nil || replayed {
			t.Fatalf("Append %d: replayed %v, error %v", i, replayed, err)
		}
		equal(t, "answer", stored, rec)
		cut()
		d := corrected(rec, "U1")
		if got, won, err := s.Decide(t.Context(), d, nil); err != nil || !won || !got.Same(d) {
			t.Fatalf("Decide %d: won %v, %+v, error %v", i, won, got, err)
		}
	}
	equal(t, "rows", scalar[string](t, owner, `
		SELECT concat_ws(' ', (SELECT count(*) FROM hitl.items), (SELECT count(*) FROM hitl.decisions), (SELECT count(*) FROM hitl.callbacks), (SELECT count(*) FROM hitl.log))`),
		"5 5 5 10")
}

func second[T any](_ T, err error) error { return err }

func TestAppendLogs(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	rec := unsure("a", "so so")
	mustAppend(t, s, rec, nil)
	mustDecide(t, s, corrected(rec, "U1"), nil)
	entries, err := s.Log(t.Context(), rec.Item.ID)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%d entries, error %v", len(entries), err)
	}
	ref := scalar[string](t, owner, `SELECT 'hmac-sha256:' || encode(text_ref, 'hex') FROM hitl.items`)
	equal(t, "first entry", entries[0], hitl.Entry{
		ID: entries[0].ID, ItemID: rec.Item.ID, At: start, Status: hitl.HumanReview, TextRef: ref, AILabel: "NEGATIVE", Confidence: 0.6,
		Model: "m1", Policy: "p1", Context: map[string]any{
			"source": "mail", "classifier": "mood", "threshold": 0.85, "inclusion": 1.0, "triggers": []any{"low_confidence", "rule:angry"},
			"review": rec.Review.ID, "round": 1.0, "queue": "default", "priority": "normal",
		},
	})
	equal(t, "second entry", entries[1], hitl.Entry{
		ID: entries[1].ID, ItemID: rec.Item.ID, At: start.Add(90 * time.Second), Status: hitl.HumanCorrected, TextRef: ref,
		AILabel: "NEGATIVE", Confidence: 0.6, Label: "POSITIVE", Reviewer: "T1/U1", Model: "m1", Policy: "p1", Context: map[string]any{
			"source": "mail", "review": rec.Review.ID, "round": 1.0, "queue": "default", "reason": "irony",
			"comment_ref": commentRef(t, owner, rec, corrected(rec, "U1")), "where": map[string]any{"surface": "modal"},
		},
	})
	if entries[0].ID >= entries[1].ID {
		t.Error("entries are out of order")
	}
}

func TestAppendConflict(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	first := sure("a", "one")
	mustAppend(t, s, first, nil)
	if _, _, err := s.Append(t.Context(), sure("a", "another"), nil); !errors.Is(err, hitl.ErrConflict) {
		t.Errorf("another body: %v", err)
	}
	replay := sure("a", "one")
	stored, replayed, err := s.Append(t.Context(), replay, callback(replay))
	if err != nil || !replayed || stored.Item.ID != first.Item.ID {
		t.Errorf("same body: replayed %v, %s, error %v", replayed, stored.Item.ID, err)
	}
	for _, table := range []string{"items", "item_texts", "log"} {
		equal(t, table, scalar[int](t, owner, "SELECT count(*) FROM hitl."+table), 1)
	}
	equal(t, "callbacks", scalar[int](t, owner, "SELECT count(*) FROM hitl.callbacks"), 0)
	equal(t, "jobs", scalar[int](t, owner, "SELECT count(*) FROM hitl_jobs.river_job"), 0)
}

func TestAppendTogether(t *testing.T) {
	t.Parallel()
	var flushed, items atomic.Int64
	s, owner := open(t, func(c *audit.Config) {
		c.BatchWait = 20 * time.Millisecond
		c.Observer = flushes{&flushed, &items}
	})
	const clients, keys = 200, 50
	var fresh, replayed, conflicts atomic.Int64
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			rec := unsure(fmt.Sprint("key ", i%keys), fmt.Sprint("text ", i%keys))
			if i >= clients-keys {
				rec = unsure(rec.Item.ExternalID, "another text")
			}
			stored, again, err := s.Append(t.Context(), rec, callback(rec))
			switch {
			case errors.Is(err, hitl.ErrConflict):
				conflicts.Add(1)
			case err != nil:
				t.Error(err)
			case again:
				replayed.Add(1)
			default:
				fresh.Add(1)
				if stored.Item.ID != rec.Item.ID {
					t.Errorf("fresh %s is %s", rec.Item.ID, stored.Item.ID)
				}
			}
		})
	}
	wg.Wait()
	equal(t, "new items", fresh.Load(), int64(keys))
	if fresh.Load()+replayed.Load()+conflicts.Load() != clients {
		t.Errorf("%d new, %d replayed, %d conflicts", fresh.Load(), replayed.Load(), conflicts.Load())
	}
	if conflicts.Load() == 0 || replayed.Load() == 0 {
		t.Error("no replay or no conflict")
	}
	for _, table := range []string{"hitl.items", "hitl.item_texts", "hitl.log", "hitl.reviews", "hitl.callbacks"} {
		equal(t, table, scalar[int](t, owner, "SELECT count(*) FROM "+table), keys)
	}
	if n := flushed.Load(); n > clients/4 {
		t.Errorf("%d calls took %d transactions", clients, n)
	}
}

// flushes counts transactions and what they held.
type flushes struct{ count, items *atomic.Int64 }

func (f flushes) Flushed(items int, _ time.Duration, _ error) {
	f.count.Add(1)
	f.items.Add(int64(items))
}
func (flushes) CallbackTried(context.Context, string, int, audit.Outcome, time.Duration) {}
func (flushes) CardRefreshed(audit.Outcome, time.Duration)                               {}
func (flushes) PeriodicRan(string, time.Duration, error)                                 {}

func TestAppendPoison(t *testing.T) {
	t.Parallel()
	s, owner := open(t, func(c *audit.Config) { c.BatchWait = 50 * time.Millisecond })
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			rec := sure(fmt.Sprint(i), "fine")
			bad := i%10 == 3
			if bad {
				rec.Item.Subject = "\xff not UTF-8 \x00" // kept out by Submit; here it stands for whatever Postgres refuses
			}
			if _, _, err := s.Append(t.Context(), rec, nil); bad == (err == nil) {
				t.Errorf("item %d: error %v", i, err)
			}
		})
	}
	wg.Wait()
	equal(t, "items", scalar[int](t, owner, "SELECT count(*) FROM hitl.items"), 27)
	equal(t, "entries", scalar[int](t, owner, "SELECT count(*) FROM hitl.log"), 27)
}

func TestAppendPoisonThenGood(t *testing.T) {
	t.Parallel()
	s, _ := open(t, func(c *audit.Config) { c.BatchWait = 50 * time.Millisecond })
	var wg sync.WaitGroup
	var fresh atomic.Int64
	for i := range 20 { // all with one key: whichever is first in its batch
		wg.Go(func() {
			rec := sure("key", "fine")
			if i%2 == 0 {
				rec.Item.Subject = "\xff"
			}
			_, replayed, err := s.Append(t.Context(), rec, nil)
			if err == nil && !replayed {
				fresh.Add(1)
			}
			if i%2 == 1 && err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	equal(t, "new items", fresh.Load(), int64(1))
}

func TestAppendHostile(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	for name, text := range map[string]string{
		"megabyte": strings.Repeat("\u00e4\U0001f600'\"\\", 1<<20/12), "sql": `'; DROP TABLE hitl.log; --`, "braces": `{"a",NULL}`,
		"controls": "\x01\x7f\u2028\u202e\ufeff\r\n\t", "empty": "",
	} {
		rec := unsure(name, text)
		rec.Item.Metadata = map[string]any{"nul": "a\x00b", "k\x00": []any{nil, 1e300, true}, hitl.CleanText(text[:min(len(text), 50)]): "x"}
		rec.Route.Triggers = []hitl.Trigger{`rule:a,b"{}\`, "rule: "}
		rec.Prediction.Scores[0].Label = "nul \x00 label"
		rec.Failure = `\u0000 "`
		mustAppend(t, s, rec, nil)
		got, err := s.Review(t.Context(), rec.Review.ID)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, name, got, rec)
	}
}

func TestAppendGivesUp(t *testing.T) {
	t.Parallel()
	s, _ := open(t, func(c *audit.Config) { c.BatchWait = 200 * time.Millisecond })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	rec := sure("a", "fine")
	if _, _, err := s.Append(ctx, rec, nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("error is %v", err)
	}
	// Whether it was taken or not, the same call with more patience tells.
	if _, _, err := s.Append(t.Context(), rec, nil); err != nil {
		t.Fatal(err)
	}
}

// Without Postgres, callers hear that nothing was recorded; with it back, all goes on.
func TestAppendWhileAway(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	mustAppend(t, s, sure("a", "fine"), nil)
	name := owner.Config().ConnConfig.Database
	admin := pool(t, localtest.Database(t))
	allow := func(yes bool) {
		t.Helper()
		if _, err := admin.Exec(t.Context(), fmt.Sprintf(`ALTER DATABASE %s ALLOW_CONNECTIONS %v`, name, yes)); err != nil {
			t.Fatal(err)
		}
	}
	allow(false)
	if _, err := admin.Exec(t.Context(), `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1`, name); err != nil {
		t.Fatal(err)
	}
	eventually(t, "unavailable", func() bool {
		_, _, err := s.Append(t.Context(), sure("b", "fine"), nil)
		if err == nil {
			t.Fatal("appended to a database that is away")
		}
		return errors.Is(err, hitl.ErrUnavailable)
	})
	if err := s.Ready(t.Context()); err == nil {
		t.Error("ready without a database")
	}
	allow(true)
	mustAppend(t, s, sure("c", "fine"), nil)
	if err := s.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestCloseDrains(t *testing.T) {
	t.Parallel()
	owner, service := database(t)
	s, err := audit.Open(t.Context(), audit.Config{DSN: service, BatchWait: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var stored atomic.Int64
	for i := range 50 {
		wg.Go(func() {
			_, _, err := s.Append(t.Context(), sure(fmt.Sprint(i), "fine"), nil)
			if err == nil {
				stored.Add(1)
			} else if !errors.Is(err, hitl.ErrUnavailable) {
				t.Error(err)
			}
		})
	}
	s.Close() // with calls waiting, coming, and not yet begun
	wg.Wait()
	equal(t, "acknowledged items", scalar[int](t, pool(t, owner), "SELECT count(*) FROM hitl.items"), int(stored.Load()))
	if _, _, err := s.Append(t.Context(), sure("late", "fine"), nil); !errors.Is(err, hitl.ErrUnavailable) {
		t.Errorf("after Close: %v", err)
	}
	s.Close()
}

func TestBacklog(t *testing.T) {
	t.Parallel()
	now := start
	s, owner := open(t, func(c *audit.Config) { c.Now = func() time.Time { return now } })
	count := func(queue, source string) [2]int {
		inQueue, ofSource, err := s.Backlog(t.Context(), queue, source)
		if err != nil {
			t.Fatal(err)
		}
		return [2]int{inQueue, ofSource}
	}
	equal(t, "at first", count("default", "mail"), [2]int{0, 0})
	rec := unsure("a", "one")
	mustAppend(t, s, rec, nil)
	mustAppend(t, s, unsure("b", "two"), nil)
	elsewhere := unsure("c", "three")
	elsewhere.Item.Source, elsewhere.Review.Queue = "chat", "other"
	mustAppend(t, s, elsewhere, nil)
	equal(t, "after two", count("default", "mail"), [2]int{2, 2})
	equal(t, "elsewhere", count("other", "chat"), [2]int{1, 1})
	equal(t, "nowhere", count("none", "nobody"), [2]int{0, 0})
	mustDecide(t, s, corrected(rec, "U1"), nil)
	equal(t, "after a decision", count("default", "mail"), [2]int{1, 1})
	if _, err := owner.Exec(t.Context(), `UPDATE hitl.reviews SET queue = 'other', source = 'chat'`); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Second)
	equal(t, "a second later", count("default", "mail"), [2]int{1, 1})
	now = now.Add(time.Second)
	equal(t, "after two seconds, elsewhere", count("other", "chat"), [2]int{2, 2})
	equal(t, "after two seconds", count("default", "mail"), [2]int{0, 0})
}
