package audit_test

import (
	"fmt"
	"testing"
	"time"

	"hitl"
	"hitl/audit"
)

// decides has user decide a new item of a queue some seconds after start, the change made to what is decided and how.
func decides(t *testing.T, s *audit.Store, user, queue string, second int, change func(*hitl.Record, *hitl.Decision)) hitl.Record {
	t.Helper()
	rec := unsure(fmt.Sprint(queue, "-", user, "-", second), "so so")
	rec.Route.Queue, rec.Review.Queue = queue, queue
	d := corrected(rec, user)
	d.At = start.Add(time.Duration(second) * time.Second)
	if change != nil {
		change(&rec, &d)
	}
	mustAppend(t, s, rec, nil)
	mustDecide(t, s, d, nil)
	return rec
}

func blindly(rec *hitl.Record, _ *hitl.Decision) { rec.Review.Blind = true }

func accepting(rec *hitl.Record, d *hitl.Decision) {
	d.Status, d.Label, d.Reason = hitl.HumanAccepted, rec.Prediction.Label, ""
}

// undone is a decision that is taken back: its review is in the second round.
func undone(t *testing.T, s *audit.Store, user, queue string, second int) {
	t.Helper()
	rec := decides(t, s, user, queue, second, func(_ *hitl.Record, d *hitl.Decision) { d.UndoFor = time.Hour })
	if err := s.Reopen(t.Context(), reopening(rec, 1, user)); err != nil {
		t.Fatal(err)
	}
}

// notCounted decides what no figure of quality counts.
func notCounted(t *testing.T, s *audit.Store, user string, second int) {
	t.Helper()
	undone(t, s, user, "default", second)
	for i, change := range []func(*hitl.Record, *hitl.Decision){
		func(_ *hitl.Record, d *hitl.Decision) { d.Status, d.Label = hitl.Expired, "" },
		func(_ *hitl.Record, d *hitl.Decision) { d.Status, d.Label = hitl.Cancelled, "" },
		func(_ *hitl.Record, d *hitl.Decision) { d.Context = map[string]string{hitl.DecidedWith: "rev_other"} },
	} {
		decides(t, s, user, "default", second+i+1, change)
	}
}

func TestAnchoring(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	decides(t, s, "U1", "default", 10, nil)
	decides(t, s, "U1", "default", 20, accepting)
	decides(t, s, "U2", "default", 40, accepting)
	decides(t, s, "U2", "default", 50, blindly)
	decides(t, s, "U2", "default", 60, func(rec *hitl.Record, d *hitl.Decision) { blindly(rec, d); accepting(rec, d) })
	decides(t, s, "U1", "other", 70, nil)
	notCounted(t, s, "U1", 80)
	decides(t, s, "U1", "default", 90, func(rec *hitl.Record, _ *hitl.Decision) { rec.Prediction.Label = "" })
	gold := decides(t, s, "U1", "default", 91, nil)
	panel := decides(t, s, "U1", "default", 92, nil)
	for _, sql := range []string{
		`UPDATE hitl.decisions SET gold = true WHERE review_id = '` + gold.Review.ID + `'`,
		`UPDATE hitl.reviews SET panel = 3 WHERE id = '` + panel.Review.ID + `'`,
	} {
		if _, err := owner.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	own := audit.Anchoring{Queue: "default", Shown: audit.Against{Decisions: 3, Corrected: 1, MedianToDecide: 20}, Blind: audit.Against{Decisions: 2, Corrected: 1, MedianToDecide: 55}}
	other := audit.Anchoring{Queue: "other", Shown: audit.Against{Decisions: 1, Corrected: 1, MedianToDecide: 70}}
	for _, c := range []struct {
		queue    string
		from, to int
		want     []audit.Anchoring
	}{
		{"", 0, 1000, []audit.Anchoring{own, other}},
		{"default", 0, 1000, []audit.Anchoring{own}},
		{"other", 70, 71, []audit.Anchoring{other}},
		{"other", 0, 70, []audit.Anchoring{}},
	} {
		got, err := s.Anchoring(t.Context(), hitl.StatsQuery{
			Since: start.Add(time.Duration(c.from) * time.Second), Until: start.Add(time.Duration(c.to) * time.Second), Queue: c.queue,
		})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, fmt.Sprint(c), got, c.want)
	}
}

func TestReviewerQuality(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	decides(t, s, "U1", "default", 10, nil)
	decides(t, s, "U1", "default", 11, accepting) // 1 s
	decides(t, s, "U1", "other", 13, accepting)   // 2 s
	decides(t, s, "U1", "default", 23, func(rec *hitl.Record, _ *hitl.Decision) { rec.Prediction.Label = "" })
	notCounted(t, s, "U1", 24)
	for second := 40; second < 43; second++ { // 17 s, and two that one click decided with it
		decides(t, s, "U1", "batches", second, func(_ *hitl.Record, d *hitl.Decision) {
			d.Context = map[string]string{"surface": "batch", "batch": "b1"}
		})
	}
	decides(t, s, "U1", "batches", 43, func(_ *hitl.Record, d *hitl.Decision) {
		d.Context = map[string]string{"surface": "batch", "batch": "b2"}
	}) // 1 s
	right, wrong := decides(t, s, "U2", "default", 30, nil), decides(t, s, "U2", "default", 31, accepting)
	for _, rec := range []hitl.Record{right, wrong} {
		for _, sql := range []string{
			`INSERT INTO hitl.gold (item_id, queue, label, added_by) VALUES ($1, 'default', 'POSITIVE', 'test')`,
			`UPDATE hitl.decisions SET gold = true WHERE item_id = $1`,
		} {
			if _, err := owner.Exec(t.Context(), sql, rec.Item.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	// They were told of the last week; what comes after the end of it nobody sees before them.
	if _, err := owner.Exec(t.Context(), `
		INSERT INTO hitl.notices (id, kind, queue, review_id, recipient, data, state)
		VALUES ('ntc_gold', 'gold_private', 'default', '', 'U2', json_build_object('until', $1::text), 'posted')`,
		start.Add(32*time.Second).Format(time.RFC3339)); err != nil {
		t.Fatal(err)
	}
	untold := decides(t, s, "U2", "default", 32, nil)
	for _, sql := range []string{
		`INSERT INTO hitl.gold (item_id, queue, label, added_by) VALUES ($1, 'default', 'POSITIVE', 'test')`,
		`UPDATE hitl.decisions SET gold = true WHERE item_id = $1`,
	} {
		if _, err := owner.Exec(t.Context(), sql, untold.Item.ID); err != nil {
			t.Fatal(err)
		}
	}
	ana, ben := hitl.Reviewer{Team: "T1", User: "U1"}, hitl.Reviewer{Team: "T1", User: "U2"}
	all := []audit.ReviewerQuality{
		{Reviewer: ana, Decisions: 8, Judged: 7, Corrected: 5, Gaps: 5, Quick: 2, MedianGap: 2},
		{Reviewer: ben, Gold: 2, GoldRight: 1, Gaps: 2, Quick: 2, MedianGap: 1},
	}
	other := []audit.ReviewerQuality{{Reviewer: ana, Decisions: 1, Judged: 1, Gaps: 1, MedianGap: 2}}
	for _, c := range []struct {
		queue  string
		second int
		want   []audit.ReviewerQuality
	}{{"", 0, all}, {"other", 0, other}, {"", 44, []audit.ReviewerQuality{}}, {"default", 31, []audit.ReviewerQuality{{Reviewer: ben, Gold: 1, Gaps: 1, Quick: 1, MedianGap: 1}}}, {"default", 33, []audit.ReviewerQuality{}}} {
		got, err := s.ReviewerQuality(t.Context(), hitl.StatsQuery{
			Since: start.Add(time.Duration(c.second) * time.Second), Until: start.Add(time.Hour), Queue: c.queue,
		})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, fmt.Sprint(c.queue, " from ", c.second), got, c.want)
	}

	// By queue, what people were shown alone counts for how they take what the model said.
	want := []audit.ReviewerPattern{
		{Queue: "batches", Reviewer: ana, Judged: 4, Corrected: 4, Gaps: 2, MedianGap: 9},
		{Queue: "default", Reviewer: ana, Judged: 2, Corrected: 1, Gaps: 2, MedianGap: 5.5},
		{Queue: "default", Reviewer: ben, Known: 2, Missed: 1, Gaps: 2, MedianGap: 1},
		{Queue: "other", Reviewer: ana, Judged: 1, Gaps: 1, MedianGap: 2},
	}
	patterns := func(queue string) []audit.ReviewerPattern {
		got, err := s.ReviewerPatterns(t.Context(), hitl.StatsQuery{Since: start, Until: start.Add(time.Hour), Queue: queue})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	equal(t, "patterns", patterns(""), want)
	equal(t, "patterns of one queue", patterns("default"), want[1:3])
	if _, err := owner.Exec(t.Context(), `UPDATE hitl.decisions SET blind = true WHERE queue = 'batches'`); err != nil {
		t.Fatal(err)
	}
	want[0].Judged, want[0].Corrected = 0, 0
	equal(t, "patterns with blind decisions", patterns("batches"), want[:1])
}
