package audit_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"hitl"
	"hitl/audit"
)

// keysOf returns keys that say which texts they stand for.
func keysOf(texts ...string) [][32]byte {
	keys := make([][32]byte, len(texts))
	for i, text := range texts {
		copy(keys[i][:], text)
	}
	return keys
}

// begins wants counts of deaths and of others at it, one of each per text.
func begins(t *testing.T, a *audit.Attempts, again bool, wantDead, wantAlive []int, texts ...string) {
	t.Helper()
	dead, alive, err := a.Begin(t.Context(), keysOf(texts...), again)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "dead", dead, wantDead)
	equal(t, "alive", alive, wantAlive)
}

// die begins attempts as a process does that dies of them: it is never heard of again.
func die(t *testing.T, service string, texts ...string) {
	t.Helper()
	s := openWith(t, audit.Config{DSN: service})
	if _, _, err := s.Attempts().Begin(t.Context(), keysOf(texts...), true); err != nil {
		t.Fatal(err)
	}
	s.Close()
}

// pass lets time pass for all attempts: to others their workers look silent.
func pass(t *testing.T, owner *pgxpool.Pool, d time.Duration) {
	t.Helper()
	if _, err := owner.Exec(t.Context(), `UPDATE hitl.attempts SET seen_at = seen_at - $1::interval`, d); err != nil {
		t.Fatal(err)
	}
}

func attemptsLeft(t *testing.T, owner *pgxpool.Pool) int {
	t.Helper()
	return scalar[int](t, owner, `SELECT coalesce(sum(cardinality(keys)), 0) FROM hitl.attempts`)
}

func TestAttemptsOfTheLiving(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	a, b := s.Attempts(), s.Attempts()
	begins(t, a, false, []int{0, 0}, []int{0, 0}, "x", "y")
	begins(t, b, false, []int{0, 0, 0}, []int{0, 1, 1}, "z", "y", "x")
	equal(t, "rows: what others are at is not begun", attemptsLeft(t, owner), 3)
	begins(t, b, true, []int{0}, []int{1}, "x")
	equal(t, "rows: but again is", attemptsLeft(t, owner), 4)
	begins(t, s.Attempts(), false, []int{0, 0}, []int{2, 1}, "x", "y")
	a.End(keysOf("x", "y"), true)
	b.End(keysOf("x", "z"), true)
	eventually(t, "all are forgotten", func() bool { return attemptsLeft(t, owner) == 0 })
}

// A worker never takes an attempt of its own for one of another, however late the end of it is written; and an end that is written late
// does not end the attempt after it.
func TestAttemptsAgainAtOnce(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	a, b := s.Attempts(), s.Attempts()
	for range 200 {
		begins(t, a, false, []int{0, 0}, []int{0, 0}, "x", "y")
		begins(t, b, false, []int{0}, []int{1}, "x")
		a.End(keysOf("x", "y"), true)
	}
	eventually(t, "all are forgotten", func() bool { return attemptsLeft(t, owner) == 0 })
}

func TestAttemptsOfTheDead(t *testing.T) {
	t.Parallel()
	ownerDSN, service := database(t)
	s, owner := openWith(t, audit.Config{DSN: service}), pool(t, ownerDSN)
	c := s.Attempts()
	die(t, service, "poison", "beside")
	begins(t, c, false, []int{0}, []int{1}, "poison") // who knows
	pass(t, owner, 6*time.Second)
	die(t, service, "poison")
	pass(t, owner, 6*time.Second)
	begins(t, c, false, []int{2, 1, 0}, []int{0, 0, 0}, "poison", "beside", "new")
	equal(t, "rows", attemptsLeft(t, owner), 4)

	begins(t, c, true, []int{2}, []int{0}, "poison")
	c.End(keysOf("poison"), false) // it was not tried
	begins(t, c, true, []int{1}, []int{0}, "beside")
	c.End(keysOf("beside", "new"), true)
	eventually(t, "the survived are forgotten, with their deaths", func() bool { return attemptsLeft(t, owner) == 2 })
	begins(t, c, false, []int{2, 0}, []int{0, 0}, "poison", "beside")

	pass(t, owner, time.Hour)
	begins(t, s.Attempts(), false, []int{0}, []int{0}, "poison")
	if err := s.SweepAttempts(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, "rows after an hour", attemptsLeft(t, owner), 1)
}

// An attempt that lasts is no death: its worker is heard of.
func TestAttemptsThatLast(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	begins(t, s.Attempts(), false, []int{0}, []int{0}, "slow")
	pass(t, owner, time.Minute)
	eventually(t, "its worker says that it lives", func() bool {
		return scalar[bool](t, owner, `SELECT bool_and(seen_at > now() - interval '5 seconds') FROM hitl.attempts`)
	})
	begins(t, s.Attempts(), false, []int{0}, []int{1}, "slow")
}

// Workers that share texts, die and survive, never wait for each other in a circle, and leave nothing behind but deaths.
func TestAttemptsOfManyWorkers(t *testing.T) {
	t.Parallel()
	ownerDSN, service := database(t)
	s, other, owner := openWith(t, audit.Config{DSN: service}), openWith(t, audit.Config{DSN: service}), pool(t, ownerDSN)
	texts := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	for range 3 {
		die(t, service, texts...)
	}
	pass(t, owner, time.Minute)
	var group sync.WaitGroup
	for i := range 8 {
		a := []*audit.Store{s, other}[i%2].Attempts()
		group.Go(func() {
			for range 60 {
				order := rand.Perm(len(texts))[:1+rand.IntN(len(texts))]
				var some []string
				for _, n := range order {
					some = append(some, texts[n])
				}
				if _, _, err := a.Begin(t.Context(), keysOf(some...), true); err != nil {
					t.Error(err)
				}
				a.End(keysOf(some...), rand.IntN(2) == 0)
			}
		})
	}
	group.Wait()
	eventually(t, "no attempt is left", func() bool {
		return scalar[int](t, owner, `SELECT count(*) FROM hitl.attempts WHERE seen_at > now() - interval '50 seconds' AND keys <> '{}'`) == 0
	})
}

func TestAttemptsSurviveConnections(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	a := s.Attempts()
	for range 5 {
		begins(t, a, false, []int{0}, []int{0}, "x")
		scalar[int](t, owner, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'hitl'`)
		a.End(keysOf("x"), true)
		eventually(t, "attempts can be begun", func() bool {
			_, _, err := a.Begin(t.Context(), keysOf("y"), false)
			if err != nil && !errors.Is(err, hitl.ErrUnavailable) {
				t.Errorf("error is %v", err)
			}
			return err == nil
		})
		a.End(keysOf("y"), true)
	}
	eventually(t, "all are forgotten", func() bool { return attemptsLeft(t, owner) == 0 })
}

// What could not be begun in time was not begun, even if Postgres comes to it later.
func TestAttemptsWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	a := s.Attempts()
	tx, err := owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `LOCK TABLE hitl.attempts`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, _, err := a.Begin(ctx, keysOf("x"), false); !errors.Is(err, hitl.ErrUnavailable) {
		t.Errorf("error is %v", err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	begins(t, a, false, []int{0}, []int{0}, "y")
	a.End(keysOf("y"), true)
	eventually(t, "all are forgotten", func() bool { return attemptsLeft(t, owner) == 0 })
}

// A process that ends in order leaves no attempt that would look like a death.
func TestCloseForgetsAttempts(t *testing.T) {
	t.Parallel()
	ownerDSN, service := database(t)
	owner := pool(t, ownerDSN)
	for range 10 {
		s := openWith(t, audit.Config{DSN: service})
		a := s.Attempts()
		begins(t, a, false, []int{0}, []int{0}, "x")
		a.End(keysOf("x"), true)
		s.Close()
		equal(t, "rows", attemptsLeft(t, owner), 0)
	}
}
