package audit_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"hitl"
)

func idsOf(recs []hitl.Record) (ids []string) {
	for _, r := range recs {
		ids = append(ids, r.Item.ExternalID)
	}
	return ids
}

func TestWorklist(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	waiting := func(id string, change ...func(*hitl.Record)) hitl.Record {
		rec := unsure(id, "text of "+id)
		rec.Review.OpenedAt = time.Now().UTC().Truncate(time.Microsecond)
		rec.Review.ID = "rev_" + id // in the order of arrival
		for _, f := range change {
			f(&rec)
		}
		return mustAppend(t, s, rec, nil)
	}
	priority := func(p hitl.Priority) func(*hitl.Record) {
		return func(r *hitl.Record) { r.Route.Priority, r.Review.Priority = p, p }
	}
	waiting("a", priority(hitl.PrioritySample))
	waiting("b")
	waiting("c", priority(hitl.PriorityUrgent))
	waiting("d", func(r *hitl.Record) { r.Prediction.Label = "POSITIVE" })
	waiting("e", func(r *hitl.Record) { r.Review.Blind = true })
	waiting("f", func(r *hitl.Record) { r.Review.OpenedAt = r.Review.OpenedAt.Add(-2 * time.Hour) })
	waiting("g", func(r *hitl.Record) { r.Route.Queue, r.Review.Queue = "other", "other" })
	decided := waiting("h")
	mustDecide(t, s, corrected(decided, "U1"), nil)
	if _, err := owner.Exec(t.Context(), `UPDATE hitl.reviews SET blind = true WHERE id = 'rev_e'`); err != nil {
		t.Fatal(err)
	}

	all := hitl.WorkQuery{Queue: "default", Size: 20}
	for name, c := range map[string]struct {
		change func(*hitl.WorkQuery)
		want   string
		total  int
	}{
		"urgent first":       {func(*hitl.WorkQuery) {}, "c b d e f a", 6},
		"newest first":       {func(q *hitl.WorkQuery) { q.Order = hitl.NewestFirst }, "f e d c b a", 6},
		"label, not blind":   {func(q *hitl.WorkQuery) { q.AILabel = "NEGATIVE" }, "c b f a", 4},
		"age":                {func(q *hitl.WorkQuery) { q.MinAge = time.Hour }, "f", 1},
		"age of nothing":     {func(q *hitl.WorkQuery) { q.MinAge = 24 * time.Hour }, "", 0},
		"second page":        {func(q *hitl.WorkQuery) { q.Size, q.Page = 4, 1 }, "f a", 6},
		"beyond the end":     {func(q *hitl.WorkQuery) { q.Size, q.Page = 4, 7 }, "f a", 6},
		"before the start":   {func(q *hitl.WorkQuery) { q.Size, q.Page = 4, -7 }, "c b d e", 6},
		"another queue":      {func(q *hitl.WorkQuery) { q.Queue = "other" }, "g", 1},
		"a queue of nothing": {func(q *hitl.WorkQuery) { q.Queue = "none" }, "", 0},
	} {
		q := all
		c.change(&q)
		got, err := s.Worklist(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if list := fmt.Sprint(idsOf(got.Rows)); list != "["+c.want+"]" || got.Total != c.total {
			t.Errorf("%s: %s of %d, want %s of %d", name, list, got.Total, c.want, c.total)
		}
	}
	got, err := s.Worklist(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	labels, err := s.OpenLabels(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "labels", labels, []string{"NEGATIVE", "POSITIVE"})
	if got.Rows[0].Item.Text != "text of c" {
		t.Errorf("row: %+v", got.Rows[0])
	}

	waits, err := s.Waits(t.Context(), []string{"other", "none", "default"})
	if err != nil {
		t.Fatal(err)
	}
	if len(waits) != 3 || waits[0].Queue != "other" || waits[0].Open != 1 || waits[1] != (hitl.QueueWait{Queue: "none"}) ||
		waits[2].Open != 6 || waits[2].OldestAge < 2*time.Hour || waits[2].OldestAge > 3*time.Hour {
		t.Errorf("waits: %+v", waits)
	}
}

func TestClaims(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	for _, id := range []string{"a", "b", "c", "d"} {
		rec := unsure(id, "text")
		rec.Review.ID = "rev_" + id
		mustAppend(t, s, rec, nil)
	}
	_, err := owner.Exec(t.Context(), `
		UPDATE hitl.reviews r SET claimed_team = 'T1', claimed_user = v.who, claimed_until = now() + v.left::interval
		FROM (VALUES ('rev_a', 'U1', '10 min'), ('rev_b', 'U1', '5 min'), ('rev_c', 'U1', '-1 min'), ('rev_d', 'U2', '5 min')) AS v (id, who, "left")
		WHERE v.id = r.id`)
	if err != nil {
		t.Fatal(err)
	}
	for team, want := range map[string][]string{"T1": {"b", "a"}, "T2": nil} {
		got, err := s.Claims(t.Context(), hitl.Reviewer{Team: team, User: "U1"}, 10)
		if err != nil || !slices.Equal(idsOf(got), want) {
			t.Errorf("claims of %s: %v, %v", team, idsOf(got), err)
		}
	}
	if got, err := s.Claims(t.Context(), hitl.Reviewer{Team: "T1", User: "U1"}, 1); err != nil || len(got) != 1 {
		t.Errorf("limit: %v, %v", idsOf(got), err)
	}
}

func TestBatches(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	for i, batch := range []string{"bat_1", "bat_1", "bat_2", "", "bat_1"} {
		rec := unsure(fmt.Sprint(i), "text")
		rec.Review.ID = fmt.Sprint("rev_", i)
		mustAppend(t, s, rec, nil)
		d := corrected(rec, "U1")
		d.At = time.Now().UTC().Truncate(time.Microsecond)
		d.Context = map[string]string{"surface": "batch"}
		if batch != "" {
			d.Context["batch"] = batch
		}
		mustDecide(t, s, d, nil)
	}
	if _, err := owner.Exec(t.Context(), `UPDATE hitl.reviews SET undo_until = now() + interval '1 min' WHERE id <> 'rev_4'`); err != nil {
		t.Fatal(err)
	}
	got, err := s.Batches(t.Context(), hitl.Reviewer{Team: "T1", User: "U1"})
	if err != nil || len(got) != 2 {
		t.Fatalf("batches: %+v, %v", got, err)
	}
	equal(t, "latest", got[0].Reviews, []hitl.BatchReview{{ID: "rev_2", Round: 1}})
	equal(t, "reviews", got[1].Reviews, []hitl.BatchReview{{ID: "rev_0", Round: 1}, {ID: "rev_1", Round: 1}})
	if b := got[1]; b.ID != "bat_1" || b.Queue != "default" || b.Label != "POSITIVE" || time.Until(b.Until) > time.Minute || time.Until(b.Until) < 30*time.Second {
		t.Errorf("batch: %+v", b)
	}
	if got, err := s.Batches(t.Context(), hitl.Reviewer{Team: "T1", User: "U2"}); err != nil || len(got) != 0 {
		t.Errorf("somebody else's: %+v, %v", got, err)
	}
}
