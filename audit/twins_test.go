package audit_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"hitl"
	"hitl/audit"
)

// twinned returns a record of a set of twins, the n-th by age.
func twinned(n int, change ...func(*hitl.Record)) hitl.Record {
	at := start.Add(time.Duration(n) * time.Second)
	rec := unsure(fmt.Sprintf("twin %d", n), "so so")
	rec.Item.ReceivedAt, rec.Review.OpenedAt = at, at
	rec.Review.ID, rec.Review.Twin = hitl.NewID("rev", at), []byte("same")
	for _, f := range change {
		f(&rec)
	}
	return rec
}

func appendTwins(t *testing.T, s *audit.Store, n int) []hitl.Record {
	t.Helper()
	var out []hitl.Record
	for i := range n {
		out = append(out, mustAppend(t, s, twinned(i), nil))
	}
	return out
}

// deskOf is a desk on a store, with a clock that is past every test's items.
func deskOf(s *audit.Store) *hitl.Desk {
	return &hitl.Desk{
		Decisions: s, Twins: s, Callbacks: map[string]bool{"mail": true}, Now: func() time.Time { return start.Add(time.Hour) },
	}
}

func accept(rec hitl.Record, user string) hitl.Verdict {
	return hitl.Verdict{ReviewID: rec.Review.ID, Kind: hitl.Accept, Reviewer: hitl.Reviewer{Team: "T1", User: user}, Comment: "as the others"}
}

func leading(t *testing.T, s *audit.Store) []string {
	t.Helper()
	open, err := s.OpenReviews(t.Context(), "default", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, r := range open {
		ids = append(ids, r.ID)
	}
	return ids
}

// onceEach makes sure that every decided item has one decision, one entry that says so, and one callback of its own.
func onceEach(t *testing.T, s *audit.Store, owner *pgxpool.Pool) {
	t.Helper()
	decided := scalar[int](t, owner, `SELECT count(*) FROM hitl.reviews WHERE state = 'decided'`)
	for what, sql := range map[string]string{
		"decisions": `SELECT count(*) FROM hitl.decisions`,
		"entries":   `SELECT count(DISTINCT item_id) FROM hitl.log WHERE status IN ('HUMAN_ACCEPTED', 'HUMAN_CORRECTED')`,
		"all":       `SELECT count(*) FROM hitl.log WHERE status IN ('HUMAN_ACCEPTED', 'HUMAN_CORRECTED')`,
		"callbacks": `SELECT count(*) FROM hitl.callbacks`,
		"items called back": `SELECT count(*) FROM hitl.callbacks c JOIN hitl.items i ON i.id = c.item_id
		    WHERE convert_from(c.body, 'UTF8')::json->'data'->>'external_id' = i.external_id AND convert_from(c.body, 'UTF8')::json->'data'->>'id' = i.id`,
	} {
		equal(t, what, scalar[int](t, owner, sql), decided)
	}
	equal(t, "problems", recordProblems(t, s), []string(nil))
}

func TestDecideTogether(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	recs := appendTwins(t, s, 5)
	apart := map[string]hitl.Record{
		"another queue":    twinned(10, func(r *hitl.Record) { r.Review.Queue = "other" }),
		"another text":     twinned(11, func(r *hitl.Record) { r.Review.Twin = []byte("other") }),
		"no twin":          twinned(12, func(r *hitl.Record) { r.Review.Twin = nil }),
		"somebody else's":  twinned(13),
		"claimed by them":  twinned(14),
		"no longer anyone": twinned(15),
	}
	for _, rec := range apart {
		mustAppend(t, s, rec, nil)
	}
	claim := func(name, user, until string) {
		if _, err := owner.Exec(t.Context(), `UPDATE hitl.reviews SET claimed_team = 'T1', claimed_user = $2, claimed_until = now() + $3::interval WHERE id = $1`,
			apart[name].Review.ID, user, until); err != nil {
			t.Fatal(err)
		}
	}
	claim("somebody else's", "U2", "1 hour")
	claim("claimed by them", "U1", "1 hour")
	claim("no longer anyone", "U2", "-1 second")
	if _, err := s.BeginCard(t.Context(), recs[0].Review.ID, "T1", "C1", 0); err != nil {
		t.Fatal(err)
	}
	got, err := s.Review(t.Context(), recs[2].Review.ID)
	if err != nil || got.Twins != 5 {
		t.Fatalf("%d twins, %v", got.Twins, err)
	}
	desk := deskOf(s)
	if _, err := desk.Decide(t.Context(), accept(recs[0], "U1")); err != nil {
		t.Fatal(err)
	}
	wait, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if rec, err := s.Wait(wait, recs[4].Item.ID); err != nil || rec.Status() != hitl.HumanAccepted || rec.Decision.Context["with"] != recs[0].Review.ID ||
		rec.Decision.Comment != "as the others" || rec.Twins != 0 {
		t.Errorf("twin: %+v, %v", rec.Decision, err)
	}
	for name, want := range map[string]hitl.ReviewState{
		"another queue": hitl.ReviewOpen, "another text": hitl.ReviewOpen, "no twin": hitl.ReviewOpen, "somebody else's": hitl.ReviewOpen,
		"claimed by them": hitl.ReviewDecided, "no longer anyone": hitl.ReviewDecided,
	} {
		rec, err := s.Review(t.Context(), apart[name].Review.ID)
		if err != nil || rec.Review.State != want {
			t.Errorf("%s: %s, %v", name, rec.Review.State, err)
		}
	}
	equal(t, "decided", scalar[int](t, owner, `SELECT count(*) FROM hitl.reviews WHERE state = 'decided'`), 7)
	equal(t, "with", scalar[int](t, owner, `SELECT count(*) FROM hitl.decisions WHERE context->>'with' = $1`, recs[0].Review.ID), 6)
	equal(t, "live cards", scalar[int](t, owner, `SELECT count(*) FROM hitl.cards WHERE live`), 0)
	equal(t, "jobs", scalar[int](t, owner, `SELECT count(*) FROM hitl_jobs.river_job`), 1) // the refresh of the card
	onceEach(t, s, owner)
	if _, err := desk.Decide(t.Context(), accept(recs[1], "U9")); !errors.Is(err, hitl.ErrAlreadyDecided) {
		t.Errorf("a twin again: %v", err)
	}
}

// What fails half way leaves nothing, of none of them.
func TestDecideTogetherRollsBack(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	recs := appendTwins(t, s, 3)
	if _, err := owner.Exec(t.Context(), `ALTER TABLE hitl.callbacks RENAME TO away`); err != nil {
		t.Fatal(err)
	}
	if _, err := deskOf(s).Decide(t.Context(), accept(recs[0], "U1")); err == nil {
		t.Fatal("no error")
	}
	if _, err := owner.Exec(t.Context(), `ALTER TABLE hitl.away RENAME TO callbacks`); err != nil {
		t.Fatal(err)
	}
	onceEach(t, s, owner)
	equal(t, "open", scalar[int](t, owner, `SELECT count(*) FROM hitl.reviews WHERE state = 'open'`), 3)
	equal(t, "backlog", first(t, s), 3)
	if _, err := deskOf(s).Decide(t.Context(), accept(recs[0], "U1")); err != nil {
		t.Fatal(err)
	}
	onceEach(t, s, owner)
	equal(t, "backlog", first(t, s), 0)
}

func first(t *testing.T, s *audit.Store) int {
	t.Helper()
	n, _, err := s.Backlog(t.Context(), "default", "mail")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Of many twins a click decides the first; the others follow, also when the process that was clicked dies at once.
func TestManyTwins(t *testing.T) {
	t.Parallel()
	s, owner := open(t, fast)
	recs := appendTwins(t, s, 130)
	if _, err := deskOf(s).Decide(t.Context(), accept(recs[7], "U1")); err != nil {
		t.Fatal(err)
	}
	equal(t, "decided at once", scalar[int](t, owner, `SELECT count(*) FROM hitl.reviews WHERE state = 'decided'`), 51)
	s.Close()
	another := openWith(t, audit.Config{DSN: owner.Config().ConnString(), PollInterval: 5 * time.Millisecond})
	run(t, another, audit.Handlers{DecideTwins: deskOf(another).DecideTwins})
	eventually(t, "all decided", func() bool {
		return scalar[int](t, owner, `SELECT count(*) FROM hitl.reviews WHERE state = 'decided'`) == 130
	})
	onceEach(t, another, owner)
}

// Two people decide twins at the same moment: each item has the decision of one of them, and nobody waits for a deadlock to be found.
func TestTwinsDecidedAtOnce(t *testing.T) {
	t.Parallel()
	s, owner := open(t, fast)
	run(t, s, audit.Handlers{DecideTwins: deskOf(s).DecideTwins})
	for round := range 20 {
		var recs []hitl.Record
		for i := range 6 {
			recs = append(recs, mustAppend(t, s, twinned(100*round+i, func(r *hitl.Record) { r.Review.Twin = fmt.Append(nil, "set ", round) }), nil))
		}
		var wg sync.WaitGroup
		for i, rec := range []hitl.Record{recs[0], recs[5], recs[3]} {
			wg.Go(func() {
				if _, err := deskOf(s).Decide(t.Context(), accept(rec, fmt.Sprint("U", i))); err != nil && !errors.Is(err, hitl.ErrAlreadyDecided) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	eventually(t, "all decided", func() bool {
		return scalar[int](t, owner, `SELECT count(*) FROM hitl.reviews WHERE state = 'open'`) == 0
	})
	onceEach(t, s, owner)
	equal(t, "deadlocks", scalar[int64](t, owner, `SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`), int64(0))
}

// Twins arrive while others are decided: each is decided with them, once, or waits for a decision of its own behind one card.
func TestTwinsArriveDuringTheDecision(t *testing.T) {
	t.Parallel()
	s, owner := open(t, fast)
	run(t, s, audit.Handlers{DecideTwins: deskOf(s).DecideTwins})
	recs := appendTwins(t, s, 3)
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			if _, _, err := s.Append(t.Context(), twinned(100+i), nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Go(func() {
		if _, err := deskOf(s).Decide(t.Context(), accept(recs[1], "U1")); err != nil {
			t.Error(err)
		}
	})
	wg.Wait()
	eventually(t, "no job left", func() bool {
		return scalar[int](t, owner, `SELECT count(*) FROM hitl_jobs.river_job WHERE kind = 'decide_twins' AND state <> 'completed'`) == 0
	})
	onceEach(t, s, owner)
	if open := scalar[int](t, owner, `SELECT count(*) FROM hitl.reviews WHERE state = 'open'`); open > 0 {
		equal(t, "leading", len(leading(t, s)), 1)
	}
}

// A decision that was taken back reaches no more twins, and one that was taken back for a twin alone does not reach that one again.
func TestTwinsOfADecisionTakenBack(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	desk := deskOf(s)
	recs := appendTwins(t, s, 60)
	if _, err := desk.Decide(t.Context(), accept(recs[0], "U1")); err != nil {
		t.Fatal(err)
	}
	reopen := func(rec hitl.Record) {
		if _, err := owner.Exec(t.Context(), `UPDATE hitl.reviews SET round = round + 1, state = 'open', closed_at = NULL WHERE id = $1`, rec.Review.ID); err != nil {
			t.Fatal(err)
		}
	}
	reopen(recs[1])
	if err := desk.DecideTwins(t.Context(), recs[0].Review.ID); err != nil {
		t.Fatal(err)
	}
	equal(t, "open", leading(t, s), []string{recs[1].Review.ID})
	late := mustAppend(t, s, twinned(5000), nil) // after the decision
	if err := desk.DecideTwins(t.Context(), recs[0].Review.ID); err != nil {
		t.Fatal(err)
	}
	equal(t, "open", scalar[int](t, owner, `SELECT count(*) FROM hitl.reviews WHERE state = 'open'`), 2)
	rec, err := s.Review(t.Context(), recs[0].Review.ID)
	if err != nil {
		t.Fatal(err)
	}
	reopen(recs[0])
	decided, more, err := s.DecideLater(t.Context(), *rec.Decision, []hitl.Answer{{Decision: corrected(late, "U1")}})
	if len(decided) != 0 || more || err != nil {
		t.Errorf("a decision that does not stand: %v, %v, %v", decided, more, err)
	}
}

// One card is posted for a set: that of the most urgent, oldest open review, as long as none has one.
func TestOneCardForTwins(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	recs := appendTwins(t, s, 3)
	begin := func(rec hitl.Record) error {
		_, err := s.BeginCard(t.Context(), rec.Review.ID, "T1", "C1", 0)
		return err
	}
	equal(t, "leading", leading(t, s), []string{recs[0].Review.ID})
	for _, younger := range recs[1:] {
		if err := begin(younger); !errors.Is(err, hitl.ErrPosted) {
			t.Errorf("a younger twin's card: %v", err)
		}
	}
	urgent := mustAppend(t, s, twinned(9, func(r *hitl.Record) { r.Review.Priority = hitl.PriorityUrgent }), nil)
	equal(t, "leading, when one is urgent", leading(t, s), []string{urgent.Review.ID})
	if err := begin(recs[0]); !errors.Is(err, hitl.ErrPosted) {
		t.Errorf("beside an urgent one: %v", err)
	}
	card, err := s.BeginCard(t.Context(), urgent.Review.ID, "T1", "C1", 0)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "leading, with an intent", leading(t, s), []string{urgent.Review.ID})
	if err := s.CardPosted(t.Context(), card.ID, "C1", "1.1"); err != nil {
		t.Fatal(err)
	}
	older := mustAppend(t, s, twinned(-9, func(r *hitl.Record) { r.Review.Priority = hitl.PriorityUrgent }), nil)
	equal(t, "leading, with a card", leading(t, s), []string(nil))
	if err := begin(older); !errors.Is(err, hitl.ErrPosted) {
		t.Errorf("beside a card: %v", err)
	}
	expire := func(rec hitl.Record) {
		mustDecide(t, s, hitl.Decision{ReviewID: rec.Review.ID, Round: 1, Status: hitl.Expired, Reviewer: hitl.Reviewer{User: "system"}, At: start}, nil)
	}
	expire(urgent)
	equal(t, "next", leading(t, s), []string{older.Review.ID})
	expire(older)
	expire(recs[0])
	equal(t, "next", leading(t, s), []string{recs[1].Review.ID})
	if err := begin(recs[1]); err != nil {
		t.Error(err)
	}
}

func TestPrecedents(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	me := mustAppend(t, s, twinned(0), nil)
	at := func(rec hitl.Record, minutes int) hitl.Decision {
		d := corrected(rec, "U1")
		d.At = start.Add(time.Duration(minutes) * time.Minute)
		return d
	}
	long := ""
	for range 3000 {
		long += "ü"
	}
	same, late := twinned(1), unsure("late", long)
	other, expired, erased := unsure("other queue", "x"), unsure("expired", "x"), unsure("erased", "x")
	other.Review.Queue = "other"
	for i, rec := range []hitl.Record{same, late, other, erased} {
		mustAppend(t, s, rec, nil)
		mustDecide(t, s, at(rec, i+1), nil)
	}
	mustAppend(t, s, expired, nil)
	gone := at(expired, 9)
	gone.Status, gone.Label = hitl.Expired, ""
	mustDecide(t, s, gone, nil)
	if n, err := s.Erase(t.Context(), []string{erased.Item.ID}, start.Add(time.Hour), "cli/ana", "asked to"); n != 1 || err != nil {
		t.Fatalf("erased %d, %v", n, err)
	}
	got, err := s.Precedents(t.Context(), me.Review.ID, 5, 10)
	if err != nil {
		t.Fatal(err)
	}
	want := []hitl.Precedent{
		{ReviewID: late.Review.ID, Text: long[:2*hitl.MaxPrecedentChars], Length: 3000, Scores: me.Prediction.Scores, AILabel: "NEGATIVE", Decision: at(late, 2)},
		{ReviewID: same.Review.ID, Text: "so so", Length: 5, Scores: me.Prediction.Scores, AILabel: "NEGATIVE", Decision: at(same, 1), Twin: true},
	}
	equal(t, "precedents", got, want)
	got, err = s.Precedents(t.Context(), me.Review.ID, 5, 1)
	equal(t, "a twin is among them however old", slices.ContainsFunc(got, func(p hitl.Precedent) bool { return p.Twin }), true)
	equal(t, "error", err, nil)
	// Those of a decided review are what came before it.
	mustDecide(t, s, corrected(me, "U1"), nil) // at 1.5 minutes
	got, err = s.Precedents(t.Context(), me.Review.ID, 5, 10)
	if err != nil || len(got) != 1 || got[0].ReviewID != same.Review.ID {
		t.Errorf("%+v, %v", got, err)
	}
}

// Very many identical items cost no more than very many others: no question about one compares each with each, also when Postgres knows how
// many there are.
func TestVeryManyTwins(t *testing.T) {
	t.Parallel()
	s, owner := open(t, func(c *audit.Config) { c.StatementTimeout = 15 * time.Second })
	rec := mustAppend(t, s, twinned(0), nil)
	if _, err := owner.Exec(t.Context(), `
		INSERT INTO hitl.items SELECT 'itm_z' || n, source, 'z' || n, body_hash, received_at, subject, text_ref, model_id, ai_label, confidence, scores,
		    latency_ns, tokens, truncated, failure, status, triggers, queue, priority, policy, threshold, inclusion FROM hitl.items, generate_series(1, 20000) n;
		INSERT INTO hitl.reviews (id, item_id, round, state, queue, priority, opened_at, source, twin)
		    SELECT 'rev_z' || lpad(n::text, 6, '0'), 'itm_z' || n, 1, 'open', queue, priority, opened_at, source, twin FROM hitl.reviews, generate_series(1, 20000) n`); err != nil {
		t.Fatal(err)
	}
	if _, err := owner.Exec(t.Context(), `ANALYZE`); err != nil {
		t.Fatal(err)
	}
	equal(t, "leading", leading(t, s), []string{rec.Review.ID})
	got, err := s.Review(t.Context(), rec.Review.ID)
	if err != nil || got.Twins != hitl.MaxTwins {
		t.Errorf("%d twins, %v", got.Twins, err)
	}
	if _, err := s.BeginCard(t.Context(), "rev_z019999", "T1", "C1", 0); !errors.Is(err, hitl.ErrPosted) {
		t.Errorf("a younger twin's card: %v", err)
	}
	if _, err := deskOf(s).Decide(t.Context(), accept(rec, "U1")); err != nil {
		t.Error(err)
	}
	equal(t, "decided with the click", scalar[int](t, owner, `SELECT count(*) FROM hitl.decisions`), 51)
}
