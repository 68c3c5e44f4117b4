package audit_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hitl"
	"hitl/audit"
)

// The figures of several queues, read together, are those that Stats has of each.
func TestFiguresAreThoseOfStats(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s, owner := open(t, func(c *audit.Config) { c.Now = func() time.Time { return now } })
	seed := uint64(now.UnixNano())
	t.Logf("seed %d", seed)
	all := population(t, s, rand.New(rand.NewPCG(seed, 0))) //nolint:gosec // repeatable from the log
	if _, err := owner.Exec(t.Context(), `
		UPDATE hitl.reviews SET round = 2 WHERE id IN (SELECT review_id FROM hitl.decisions ORDER BY review_id LIMIT 5)`); err != nil {
		t.Fatal(err) // decisions that were taken back count nowhere
	}
	queues := []hitl.QueueSince{
		{Queue: "other", Since: start.Add(30 * time.Hour)}, {Queue: "nothing", Since: start}, {Queue: "default", Since: start.Add(100 * time.Hour)},
	}
	got, err := s.Figures(t.Context(), queues)
	if err != nil || len(got) != len(queues) || len(all) == 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	for i, q := range queues {
		st, err := s.Stats(t.Context(), hitl.StatsQuery{Since: q.Since, Until: now, Queue: q.Queue})
		if err != nil {
			t.Fatal(err)
		}
		want := hitl.QueueFigures{
			QueueWait: hitl.QueueWait{Queue: q.Queue, Open: st.Open, OldestAge: st.OldestAge}, Since: q.Since,
			Items: st.Items, Reviewed: st.Reviewed, Accepted: st.Accepted, Corrected: st.Corrected,
		}
		soon := cmp.Comparer(func(a, b time.Duration) bool { return (a - b).Abs() < time.Minute }) // Stats has our clock, and Figures Postgres's
		if diff := cmp.Diff(want, got[i], soon); diff != "" {
			t.Errorf("%s (-Stats +Figures):\n%s", q.Queue, diff)
		}
		if got[i].ReviewRate() != st.ReviewRate || got[i].CorrectionRate() != st.CorrectionRate {
			t.Errorf("%s: rates %v, %v, want %v, %v", q.Queue, got[i].ReviewRate(), got[i].CorrectionRate(), st.ReviewRate, st.CorrectionRate)
		}
	}
	if got[0].Accepted == 0 || got[2].Items == 0 {
		t.Errorf("nothing to compare: %+v", got)
	}
}

func TestQueueState(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	now := time.Now().UTC().Truncate(time.Microsecond)
	for i, r := range []struct {
		priority hitl.Priority
		age      time.Duration
		due      [3]time.Duration // from now; 0: none
		claimed  bool
	}{
		{"urgent", 3 * time.Hour, [3]time.Duration{0, 0, -time.Minute}, false},
		{"urgent", time.Hour, [3]time.Duration{-time.Minute, time.Hour, 2 * time.Hour}, true},
		{"normal", 2 * time.Hour, [3]time.Duration{time.Hour, time.Hour, time.Hour}, false},
		{"normal", 9 * time.Hour, [3]time.Duration{time.Hour, -time.Hour, 3 * time.Hour}, false},
	} {
		rec := unsure(fmt.Sprint(i), "so so")
		rec.Route.Priority, rec.Review.Priority, rec.Review.OpenedAt = r.priority, r.priority, now.Add(-r.age)
		rec = mustAppend(t, s, rec, nil)
		at := func(d time.Duration) any {
			if d == 0 {
				return nil
			}
			return now.Add(d)
		}
		if _, err := owner.Exec(t.Context(), `UPDATE hitl.reviews SET remind_at = $2, escalate_at = $3, expires_at = $4 WHERE id = $1`,
			rec.Review.ID, at(r.due[0]), at(r.due[1]), at(r.due[2])); err != nil {
			t.Fatal(err)
		}
		if r.claimed {
			if _, err := owner.Exec(t.Context(), `UPDATE hitl.reviews SET claimed_user = 'U1', claimed_until = now() + interval '1 hour' WHERE id = $1`,
				rec.Review.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	got, err := s.QueueState(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	want := hitl.QueueState{
		Open: map[hitl.Priority]hitl.QueueWait{
			hitl.PriorityUrgent: {Queue: "default", Open: 2, OldestAge: 3 * time.Hour}, hitl.PriorityNormal: {Queue: "default", Open: 2, OldestAge: 9 * time.Hour},
		},
		Claimed: 1, Reminded: 2, Escalated: 2, Expired: 1, NextExpiry: now.Add(time.Hour),
	}
	soon := cmp.Comparer(func(a, b time.Duration) bool { return (a - b).Abs() < time.Minute })
	if diff := cmp.Diff(want, got, soon); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if all := got.Total(); all.Open != 4 || all.OldestAge < 9*time.Hour || all.Queue != "default" {
		t.Errorf("all: %+v", all)
	}
	if none, err := s.QueueState(t.Context(), "none"); err != nil || none.Total().Open != 0 || none.Expired != 0 {
		t.Errorf("%+v, %v", none, err)
	}
}

// BenchmarkFigures reads the figures of 20 queues with 100,000 open reviews, and as many decisions and twice as many items of the day.
func BenchmarkFigures(b *testing.B) {
	s, owner := open(b)
	for _, sql := range []string{
		`INSERT INTO hitl.items (id, source, external_id, body_hash, received_at, subject, text_ref, model_id, ai_label, confidence, scores, latency_ns,
		    tokens, truncated, failure, status, triggers, queue, priority, policy, threshold, inclusion)
		SELECT 'itm_' || i, 'bench', i::text, '', now() - i * interval '0.4 seconds', '', '', 1, 'A', 0.5, '[]', 1, 1, false, '',
		    'HUMAN_REVIEW', '{}', 'q' || i % 20, 'normal', 'p', 0.5, 1 FROM generate_series(1, 200000) AS i`,
		`INSERT INTO hitl.reviews (id, item_id, round, state, queue, priority, opened_at)
		SELECT 'rev_' || i, 'itm_' || i, 1, CASE WHEN i > 100000 THEN 'open' ELSE 'decided' END, 'q' || i % 20, 'normal',
		    now() - i * interval '0.4 seconds' FROM generate_series(1, 200000) AS i`,
		`INSERT INTO hitl.decisions (review_id, round, item_id, queue, ai_label, opened_at, status, label, reviewer_team, reviewer_user, reason, comment, at, context)
		SELECT 'rev_' || i, 1, 'itm_' || i, 'q' || i % 20, 'A', now(), CASE WHEN i % 7 = 0 THEN 'HUMAN_CORRECTED' ELSE 'HUMAN_ACCEPTED' END, 'A', 'T', 'U',
		    '', '', now() - i * interval '0.8 seconds', '{}' FROM generate_series(1, 100000) AS i`,
		`VACUUM ANALYZE`,
	} {
		if _, err := owner.Exec(b.Context(), sql); err != nil {
			b.Fatal(err)
		}
	}
	var queues []hitl.QueueSince
	midnight := hitl.Midnight(time.Now(), time.UTC)
	for i := range 20 {
		queues = append(queues, hitl.QueueSince{Queue: fmt.Sprint("q", i), Since: midnight})
	}
	for b.Loop() {
		if _, err := s.Figures(b.Context(), queues); err != nil {
			b.Fatal(err)
		}
	}
}
