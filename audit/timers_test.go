package audit_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"hitl"
	"hitl/audit"
)

// dueReviews appends reviews of queue "default" for which everything has been due for a while; the first opened first.
func dueReviews(t *testing.T, s *audit.Store, n int) []hitl.Record {
	t.Helper()
	var recs []hitl.Record
	for i := range n {
		rec := unsure(fmt.Sprint("due", i), "so so")
		rec.Review.OpenedAt = start.Add(time.Duration(i) * time.Minute)
		rec.Review.RemindAt, rec.Review.EscalateAt, rec.Review.ExpiresAt = start.Add(time.Hour), start.Add(2*time.Hour), start.Add(3*time.Hour)
		recs = append(recs, mustAppend(t, s, rec, nil))
	}
	return recs
}

func noticesOf(t *testing.T, owner *pgxpool.Pool) []string {
	t.Helper()
	return scalar[[]string](t, owner, `
		SELECT coalesce(array_agg(concat_ws(' ', kind, queue, recipient, data->>'count', data->>'to') ORDER BY id), '{}') FROM hitl.notices`)
}

func waitingDesk(s *audit.Store) *hitl.Desk {
	return &hitl.Desk{Decisions: s, Timers: s, Pauses: s, Now: func() time.Time { return start.Add(4 * time.Hour) }, Queues: map[string]hitl.QueueRules{
		"default": {
			RemindAfter: time.Hour, EscalateAfter: 2 * time.Hour, EscalateTo: hitl.Escalation{Channel: "C1", Group: "S1", Queue: "seniors"},
			ExpireAfter: 3 * time.Hour, ExpireAs: "label:POSITIVE",
		},
		"seniors": {RemindAfter: time.Hour, EscalateAfter: time.Hour, ExpireAfter: 48 * time.Hour},
	}}
}

// Each reminder comes once, all that are due together in one notice, however many processes look at the same time.
func TestRemind(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	recs := dueReviews(t, s, 12)
	decided := corrected(recs[0], "U1")
	mustDecide(t, s, decided, nil)
	var sum atomic.Int64
	var at sync.WaitGroup
	for range 8 {
		at.Go(func() {
			n, err := waitingDesk(s).RemindDue(context.Background(), 100)
			if err != nil {
				t.Error(err)
			}
			sum.Add(int64(n))
		})
	}
	at.Wait()
	if n, err := waitingDesk(s).RemindDue(t.Context(), 100); n != 0 || err != nil {
		t.Errorf("again: %d, %v", n, err)
	}
	equal(t, "reminded", sum.Load(), int64(11))
	equal(t, "counted in notices", scalar[int](t, owner, `SELECT sum((data->>'count')::int)::int FROM hitl.notices WHERE kind = 'reminder' AND recipient = 'reviewers'`), 11)
	equal(t, "jobs", scalar[int](t, owner, `SELECT count(*)::int FROM hitl_jobs.river_job WHERE kind = 'notice'`),
		scalar[int](t, owner, `SELECT count(*)::int FROM hitl.notices`))
}

// Escalated reviews move with everything that they wait for, are urgent, stand in the log, and move once.
func TestEscalate(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	recs := dueReviews(t, s, 7)
	desk := waitingDesk(s)
	for i, want := range []int{3, 4, 0} {
		limit := []int{3, 100, 100}[i]
		if n, err := desk.EscalateDue(t.Context(), limit); n != want || err != nil {
			t.Fatalf("run %d: %d, %v, want %d", i, n, err, want)
		}
	}
	for _, rec := range recs {
		got, err := s.Review(t.Context(), rec.Review.ID)
		if err != nil {
			t.Fatal(err)
		}
		want := *rec.Review
		want.Queue, want.Priority, want.EscalateAt = "seniors", hitl.PriorityUrgent, time.Time{}
		want.RemindAt, want.ExpiresAt = start.Add(5*time.Hour), start.Add(52*time.Hour)
		equal(t, "review", *got.Review, want)
		equal(t, "log", statusesOf(t, s, rec.Item.ID), "[HUMAN_REVIEW ESCALATED]")
	}
	equal(t, "notices", noticesOf(t, owner), []string{
		"escalation default C1 1 seniors", "escalation default C1 1 seniors", "escalation default C1 1 seniors",
		"escalation default C1 1 seniors", "escalation default C1 1 seniors", "escalation default C1 1 seniors", "escalation default C1 1 seniors",
	})
	inQueue, _, err := s.Backlog(t.Context(), "default", "mail")
	moved, _, errMoved := s.Backlog(t.Context(), "seniors", "mail")
	if err != nil || errMoved != nil || inQueue != 0 || moved != 7 {
		t.Errorf("backlog %d and %d, want 0 and 7; %v, %v", inQueue, moved, err, errMoved)
	}
	mustDecide(t, s, corrected(recs[3], "U1"), nil)
	equal(t, "queue of the decision", scalar[string](t, owner, `SELECT queue FROM hitl.decisions`), "seniors")
	equal(t, "problems", recordProblems(t, s), []string(nil))
}

// A review that was moved has lost no time in its new queue before it came there, and whoever had claimed it has it no more.
func TestEscalateIntoAPausedQueue(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	rec := dueReviews(t, s, 1)[0]
	desk := waitingDesk(s)
	if _, _, err := desk.Pause(t.Context(), "seniors", "U1", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := owner.Exec(t.Context(), `UPDATE hitl.pauses SET paused_at = $1`, start); err != nil {
		t.Fatal(err)
	}
	if _, err := owner.Exec(t.Context(), `UPDATE hitl.reviews SET claimed_user = 'U1', claimed_until = now() + interval '1 hour'`); err != nil {
		t.Fatal(err)
	}
	if n, err := desk.EscalateDue(t.Context(), 10); n != 1 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	if _, err := owner.Exec(t.Context(), `UPDATE hitl.reviews SET entered_at = $1`, start.Add(4*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := owner.Exec(t.Context(), `UPDATE hitl.pauses SET resumed_at = $1`, start.Add(5*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := s.MoveTimes(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	got, err := s.Review(t.Context(), rec.Review.ID)
	if err != nil || got.Review.ClaimedBy.User != "" {
		t.Errorf("claimed by %v, %v", got.Review.ClaimedBy, err)
	}
	equal(t, "expiry", got.Review.ExpiresAt, start.Add((4+48+1)*time.Hour))
}

// Of very many that are escalated together one notice tells.
func TestEscalateMany(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	dueReviews(t, s, 6)
	desk := waitingDesk(s)
	rules := desk.Queues["default"]
	rules.EscalateTo = hitl.Escalation{Group: "S1"}
	desk.Queues["default"] = rules
	if n, err := desk.EscalateDue(t.Context(), 100); n != 6 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	equal(t, "notices", noticesOf(t, owner), []string{"escalation default  6 "})
	equal(t, "queue and times", scalar[int](t, owner, `
		SELECT count(*)::int FROM hitl.reviews WHERE queue = 'default' AND priority = 'urgent' AND escalate_at IS NULL AND remind_at IS NOT NULL AND expires_at IS NOT NULL`), 6)
}

// A review that expires gets the answer that its queue names.
func TestExpireAs(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ as, want string }{{"label:POSITIVE", "POSITIVE"}, {"ai_label", "NEGATIVE"}, {"undecided", ""}, {"", ""}} {
		t.Run(tc.as, func(t *testing.T) {
			t.Parallel()
			s, _ := open(t)
			rec := dueReviews(t, s, 1)[0]
			desk := waitingDesk(s)
			desk.Queues["default"] = hitl.QueueRules{ExpireAs: hitl.Outcome(tc.as)}
			if n, err := desk.ExpireDue(t.Context(), 10); n != 1 || err != nil {
				t.Fatalf("%d, %v", n, err)
			}
			got, err := s.Review(t.Context(), rec.Review.ID)
			if err != nil || got.Status() != hitl.Expired || got.Label() != tc.want {
				t.Errorf("%s, label %q, %v", got.Status(), got.Label(), err)
			}
			equal(t, "problems", recordProblems(t, s), []string(nil))
		})
	}
}

// In a paused queue nothing is due; when it goes on, what waits has lost no time, whoever finishes it.
func TestPause(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	desk := waitingDesk(s)
	recs := dueReviews(t, s, 3)
	p, fresh, err := desk.Pause(t.Context(), "default", "T1/U1", " holiday ")
	if err != nil || !fresh || p.Reason != "holiday" {
		t.Fatalf("%+v, %v, %v", p, fresh, err)
	}
	again, fresh, err := desk.Pause(t.Context(), "default", "T1/U2", "me too")
	if err != nil || fresh {
		t.Errorf("%v, %v", fresh, err)
	}
	equal(t, "standing pause", again, p)
	if _, _, err := desk.Pause(t.Context(), "nowhere", "T1/U1", ""); !errors.Is(err, hitl.ErrNotFound) {
		t.Errorf("unknown queue: %v", err)
	}
	for what, due := range map[string]func(context.Context, int) (int, error){"remind": desk.RemindDue, "escalate": desk.EscalateDue, "expire": desk.ExpireDue} {
		if n, err := due(t.Context(), 10); n != 0 || err != nil {
			t.Errorf("%s in a paused queue: %d, %v", what, n, err)
		}
	}
	paused, err := s.Paused(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "paused", paused, map[string]hitl.Pause{"default": p})

	// It goes on after an hour; a review that came in the middle has lost half of it. Whoever resumed it dies before the times are moved.
	if _, err := owner.Exec(t.Context(), `UPDATE hitl.pauses SET paused_at = $1, resumed_at = $2`, start.Add(time.Minute), start.Add(61*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := desk.Pause(t.Context(), "default", "T1/U1", ""); !errors.Is(err, hitl.ErrBusy) {
		t.Errorf("pause while it goes on: %v", err)
	}
	if n, err := desk.RemindDue(t.Context(), 10); n != 0 || err != nil {
		t.Errorf("reminded before the times were moved: %d, %v", n, err)
	}
	if _, err := owner.Exec(t.Context(), `UPDATE hitl.reviews SET opened_at = $2 WHERE id = $1`, recs[2].Review.ID, start.Add(31*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := s.MoveTimes(t.Context(), map[string]hitl.Hours{}); err != nil {
		t.Fatal(err)
	}
	for i, lost := range []time.Duration{time.Hour, time.Hour, 30 * time.Minute} {
		got, err := s.Review(t.Context(), recs[i].Review.ID)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "reminder", got.Review.RemindAt, start.Add(time.Hour+lost))
		equal(t, "escalation", got.Review.EscalateAt, start.Add(2*time.Hour+lost))
		equal(t, "expiry", got.Review.ExpiresAt, start.Add(3*time.Hour+lost))
	}
	if _, err := desk.Resume(t.Context(), "default", "T1/U1"); !errors.Is(err, hitl.ErrNotFound) {
		t.Errorf("resumed twice: %v", err)
	}
	if n, err := desk.RemindDue(t.Context(), 10); n != 3 || err != nil {
		t.Errorf("reminded %d, %v", n, err)
	}
}

// Very many reviews are moved step by step, each once.
func TestMoveTimesInSteps(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	rec := dueReviews(t, s, 1)[0]
	if _, err := owner.Exec(t.Context(), `
		INSERT INTO hitl.items SELECT (jsonb_populate_record(i, jsonb_build_object('id', 'itm_' || n, 'external_id', 'x' || n))).* FROM hitl.items i, generate_series(1, 2500) n`); err != nil {
		t.Fatal(err)
	}
	if _, err := owner.Exec(t.Context(), `
		INSERT INTO hitl.reviews SELECT (jsonb_populate_record(r, jsonb_build_object('id', 'rev_' || n, 'item_id', 'itm_' || n))).* FROM hitl.reviews r, generate_series(1, 2500) n`); err != nil {
		t.Fatal(err)
	}
	desk := waitingDesk(s)
	if _, _, err := desk.Pause(t.Context(), "default", "U1", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := owner.Exec(t.Context(), `UPDATE hitl.pauses SET paused_at = $1, resumed_at = $2`, start.Add(time.Minute), start.Add(61*time.Minute)); err != nil {
		t.Fatal(err)
	}
	var at sync.WaitGroup
	for range 4 {
		at.Go(func() {
			if err := s.MoveTimes(context.Background(), nil); err != nil {
				t.Error(err)
			}
		})
	}
	at.Wait()
	equal(t, "moved by an hour", scalar[int](t, owner, `SELECT count(*)::int FROM hitl.reviews WHERE expires_at = $1`, rec.Review.ExpiresAt.Add(time.Hour)), 2501)
	equal(t, "pauses", scalar[int](t, owner, `SELECT count(*)::int FROM hitl.pauses`), 0)
}
