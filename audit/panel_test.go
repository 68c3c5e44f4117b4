package audit_test

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hitl"
	"hitl/audit"
)

// before appends a review before a panel of n.
func before(t *testing.T, s *audit.Store, n int, externalID string) hitl.Record {
	t.Helper()
	rec := unsure(externalID, "so so")
	rec.Review.Panel = n
	return mustAppend(t, s, rec, nil)
}

// panelDesk is a desk on a store that calls everybody back.
func panelDesk(s *audit.Store, now time.Time) *hitl.Desk {
	return &hitl.Desk{Decisions: s, Panels: s, Callbacks: map[string]bool{"mail": true}, Now: func() time.Time { return now }}
}

// says is a verdict of U0, U1, …; the model of unsure records says NEGATIVE.
func says(rec hitl.Record, label string, by int) hitl.Verdict {
	return hitl.Verdict{
		ReviewID: rec.Review.ID, Round: rec.Review.Round, Kind: hitl.Correct, Label: label, Reason: "irony", Comment: fmt.Sprint("as I said, ", by),
		Reviewer: hitl.Reviewer{Team: "T1", User: fmt.Sprint("U", by)}, Context: map[string]string{"surface": "modal"},
	}
}

func mustVote(t *testing.T, d *hitl.Desk, v hitl.Verdict) hitl.Record {
	t.Helper()
	rec, err := d.Vote(t.Context(), v)
	if err != nil {
		t.Fatalf("%s says %s: %v", v.Reviewer, v.Label, err)
	}
	return rec
}

func statusesOf(t *testing.T, s *audit.Store, itemID string) string {
	t.Helper()
	entries, err := s.Log(t.Context(), itemID)
	if err != nil {
		t.Fatal(err)
	}
	var out []hitl.Status
	for _, e := range entries {
		out = append(out, e.Status)
	}
	return fmt.Sprint(out)
}

// The last verdict makes the decision, with its callback and the card's refresh; before, nothing says what anybody said.
func TestVote(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	rec := before(t, s, 3, "a")
	desk := panelDesk(s, start.Add(time.Minute))
	mustVote(t, desk, says(rec, "POSITIVE", 0))
	mustVote(t, desk, says(rec, "NEGATIVE", 1))
	equal(t, "log before", statusesOf(t, s, rec.Item.ID), "[HUMAN_REVIEW]")
	equal(t, "entries before", scalar[int](t, owner, `SELECT count(*) FROM hitl.log`), 3)
	equal(t, "version before", scalar[int64](t, owner, `SELECT version FROM hitl.reviews`), int64(3))
	var voted *hitl.VotedError
	if _, err := desk.Vote(t.Context(), says(rec, "POSITIVE", 1)); !errors.As(err, &voted) || voted.Standing.Label != "NEGATIVE" || voted.Standing.At.IsZero() {
		t.Errorf("something else: %v", err)
	}
	if _, won, err := s.Decide(t.Context(), corrected(rec, "U9"), nil); won || err == nil {
		t.Errorf("one person decides: won %v, error %v", won, err)
	}

	got := mustVote(t, desk, says(rec, "POSITIVE", 2))
	equal(t, "again", mustVote(t, desk, says(rec, "POSITIVE", 2)), got)
	stored, err := s.Review(t.Context(), rec.Review.ID)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "stored", stored, got)
	d := stored.Decision
	if d == nil || !d.ByPanel() || d.Label != "POSITIVE" || d.Status != hitl.HumanCorrected || d.Context["panel"] != "2/3" || len(stored.Voices) != 3 {
		t.Errorf("decision %+v of %+v", d, stored.Voices)
	}
	equal(t, "voice", stored.Voices[1], hitl.Voice{
		Reviewer: hitl.Reviewer{Team: "T1", User: "U1"}, Label: "NEGATIVE", Reason: "irony", Comment: "as I said, 1", At: start.Add(time.Minute),
	})
	equal(t, "log after", statusesOf(t, s, rec.Item.ID), "[HUMAN_REVIEW VERDICT VERDICT VERDICT HUMAN_CORRECTED]")
	equal(t, "kinds", scalar[string](t, owner, `SELECT string_agg(kind, ' ' ORDER BY reviewer_user) FROM hitl.verdicts`), "corrected accepted corrected")
	equal(t, "words in the log", scalar[int](t, owner, `SELECT count(*) FROM hitl.log WHERE context::text LIKE '%as I said%'`), 0)
	equal(t, "callbacks", scalar[int](t, owner, `SELECT count(*) FROM hitl.callbacks`), 1)
	equal(t, "notices", scalar[int](t, owner, `SELECT count(*) FROM hitl.notices`), 0)
	equal(t, "problems", recordProblems(t, s), []string(nil))
	var already *hitl.AlreadyDecidedError
	if _, err := desk.Vote(t.Context(), says(rec, "POSITIVE", 7)); !errors.As(err, &already) {
		t.Errorf("late: %v", err)
	}
}

// Without a majority the adjudicators are told, and one of them decides as anybody does.
func TestAdjudication(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	rec := before(t, s, 2, "a")
	desk := panelDesk(s, start.Add(time.Minute))
	mustVote(t, desk, says(rec, "POSITIVE", 0))
	if got := mustVote(t, desk, says(rec, "NEGATIVE", 1)); !got.Adjudicated() || got.Gathering() {
		t.Errorf("%+v", got)
	}
	equal(t, "notice", scalar[string](t, owner, `SELECT concat_ws(' ', kind, queue, review_id, recipient) FROM hitl.notices`), "adjudicate default "+rec.Review.ID+" ")
	if _, err := desk.Vote(t.Context(), says(rec, "NEGATIVE", 2)); !errors.Is(err, hitl.ErrPanelComplete) {
		t.Errorf("one too many: %v", err)
	}
	got, err := desk.Decide(t.Context(), says(rec, "POSITIVE", 8))
	if err != nil || got.Decision.Reviewer.User != "U8" || got.Decision.Context["adjudicated"] != "true" {
		t.Fatalf("%+v, %v", got.Decision, err)
	}
	equal(t, "log", statusesOf(t, s, rec.Item.ID), "[HUMAN_REVIEW VERDICT VERDICT HUMAN_CORRECTED]")
	equal(t, "notices", scalar[int](t, owner, `SELECT count(*) FROM hitl.notices`), 1)
	equal(t, "callbacks", scalar[int](t, owner, `SELECT count(*) FROM hitl.callbacks`), 1)
}

// A reopened review begins with no verdicts, and those of the old round stay where they are.
func TestVoteByRounds(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	rec := before(t, s, 2, "a")
	desk := panelDesk(s, start.Add(time.Minute))
	for by := range 2 {
		mustVote(t, desk, says(rec, "POSITIVE", by))
	}
	desk.Reopens = s
	if _, err := desk.Reopen(t.Context(), rec.Review.ID, "cli/ana", "the form was wrong"); err != nil {
		t.Fatal(err)
	}
	again, err := s.Review(t.Context(), rec.Review.ID)
	if err != nil || !again.Gathering() || len(again.Voices) != 0 {
		t.Fatalf("%+v, %v", again, err)
	}
	var already *hitl.AlreadyDecidedError
	if _, err := desk.Vote(t.Context(), says(rec, "NEGATIVE", 5)); !errors.As(err, &already) {
		t.Errorf("verdict on the old round: %v", err)
	}
	mustVote(t, desk, says(again, "NEGATIVE", 0))
	future := says(again, "NEGATIVE", 1)
	future.Round = 3
	var invalid *hitl.InvalidError
	if _, err := desk.Vote(t.Context(), future); !errors.As(err, &invalid) || invalid.Field != "round" {
		t.Errorf("verdict on a round to come: %v", err)
	}
	if got := mustVote(t, desk, says(again, "NEGATIVE", 1)); got.Label() != "NEGATIVE" || got.Decision.Round != 2 {
		t.Errorf("%+v", got.Decision)
	}
	equal(t, "verdicts", scalar[int](t, owner, `SELECT count(*) FROM hitl.verdicts`), 4)
	equal(t, "problems", recordProblems(t, s), []string(nil))
}

// All speak at once, each twice: as many voices count as the panel has, and one decision comes of them.
func TestVoteRace(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	for n := 2; n <= 7; n++ {
		rec := before(t, s, n, fmt.Sprint(n))
		desk := panelDesk(s, start.Add(time.Minute))
		var decided, complete, voted atomic.Int64
		var wg sync.WaitGroup
		for i := range 2 * (n + 2) {
			wg.Go(func() {
				_, err := desk.Vote(t.Context(), says(rec, "POSITIVE", i%(n+2)))
				switch {
				case err == nil:
					voted.Add(1)
				case errors.Is(err, hitl.ErrAlreadyDecided):
					decided.Add(1)
				case errors.Is(err, hitl.ErrPanelComplete):
					complete.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if voted.Load() != int64(2*n) || decided.Load() != 4 || complete.Load() != 0 {
			t.Errorf("panel of %d: %d voted, %d came late, %d found it complete", n, voted.Load(), decided.Load(), complete.Load())
		}
		equal(t, "verdicts", scalar[int](t, owner, `SELECT count(*) FROM hitl.verdicts WHERE review_id = $1`, rec.Review.ID), n)
		equal(t, "entries", scalar[int](t, owner, `SELECT count(*) FROM hitl.log WHERE item_id = $1`, rec.Item.ID), n+2)
		equal(t, "callbacks", scalar[int](t, owner, `SELECT count(*) FROM hitl.callbacks WHERE item_id = $1`, rec.Item.ID), 1)
	}
	equal(t, "problems", recordProblems(t, s), []string(nil))
}

// Verdicts, the clock and an erasure, all at once: each review ends once, in a way that its verdicts allow, and nothing waits for anything for ever.
func TestVotesAgainstTheClockAndErasure(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	late := start.Add(2 * time.Hour)
	desk := panelDesk(s, late)
	eraser := &hitl.Eraser{Erasures: s, Desk: desk, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return late }}
	began := time.Now()
	for i := range 30 {
		rec := before(t, s, 3, fmt.Sprint(i))
		var wg sync.WaitGroup
		for by := range 3 {
			wg.Go(func() {
				var invalid *hitl.InvalidError
				_, err := desk.Vote(t.Context(), says(rec, "POSITIVE", by))
				if err != nil && !errors.Is(err, hitl.ErrAlreadyDecided) && !errors.As(err, &invalid) {
					t.Error(err)
				}
			})
		}
		wg.Go(func() {
			if _, err := desk.ExpireDue(t.Context(), 10); err != nil {
				t.Error(err)
			}
		})
		if i%2 == 0 {
			wg.Go(func() {
				if _, err := eraser.Erase(t.Context(), hitl.Erasure{Items: []string{rec.Item.ID}, By: "cli/ana", Reason: "asked to"}, 0, nil); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		got, err := s.Review(t.Context(), rec.Review.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got.Decision == nil || got.Decision.ByPanel() != (got.Status() == hitl.HumanCorrected) || got.Decision.ByPanel() && len(got.Voices) != 3 {
			t.Errorf("%s with %d voices, by %v", got.Status(), len(got.Voices), got.Decision)
		}
		equal(t, "callbacks", scalar[int](t, owner, `SELECT count(*) FROM hitl.callbacks WHERE item_id = $1`, rec.Item.ID), 1)
		if i%2 == 0 {
			equal(t, "comments of erased", scalar[int](t, owner, `SELECT count(*) FROM hitl.verdicts WHERE review_id = $1 AND comment <> ''`, rec.Review.ID), 0)
		}
	}
	equal(t, "deadlocks", scalar[int64](t, owner, `SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`), int64(0))
	equal(t, "problems", recordProblems(t, s), []string(nil))
	t.Logf("took %s", time.Since(began))
}

// What anybody changes in verdicts is found.
func TestVerifyVerdicts(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	rec, gone := before(t, s, 2, "a"), before(t, s, 2, "b")
	desk := panelDesk(s, start.Add(time.Minute))
	for by := range 2 {
		mustVote(t, desk, says(rec, "POSITIVE", by))
		mustVote(t, desk, says(gone, "NEGATIVE", by))
	}
	if n, err := s.Erase(t.Context(), []string{gone.Item.ID}, start.Add(time.Hour), "cli/ana", "asked to"); n != 1 || err != nil {
		t.Fatalf("erased %d, %v", n, err)
	}
	equal(t, "problems of an honest record", recordProblems(t, s), []string(nil))
	if _, err := owner.Exec(t.Context(), `CREATE TABLE kept AS TABLE hitl.verdicts`); err != nil {
		t.Fatal(err)
	}
	mine := fmt.Sprintf(` WHERE review_id = '%s' AND reviewer_user = 'U1'`, rec.Review.ID)
	for _, tc := range [][2]string{
		{`UPDATE hitl.verdicts SET label = 'NEGATIVE'` + mine, "in label"},
		{`UPDATE hitl.verdicts SET kind = 'accepted'` + mine, "in kind"},
		{`UPDATE hitl.verdicts SET reason = ''` + mine, "in reason"},
		{`UPDATE hitl.verdicts SET at = now()` + mine, "in at"},
		{`UPDATE hitl.verdicts SET comment = ''` + mine, "in comment"},
		{`UPDATE hitl.verdicts SET comment = 'as I said, 0'` + mine, "in comment"},
		{`UPDATE hitl.verdicts SET reviewer_user = 'U2'` + mine, "is gone; entry"},
		{`DELETE FROM hitl.verdicts` + mine, "is gone; entry"},
		{`INSERT INTO hitl.verdicts SELECT review_id, 2, 'T1', 'U3', kind, label, reason, comment, at, context FROM kept` + mine, "has no entry"},
		{`UPDATE hitl.verdicts SET comment = 'x' WHERE review_id = '` + gone.Review.ID + `'`, "in comment"},
	} {
		sql, want := tc[0], tc[1]
		if _, err := owner.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		if !slices.ContainsFunc(recordProblems(t, s), func(p string) bool { return strings.Contains(p, want) }) {
			t.Errorf("%s: not found", sql)
		}
		if _, err := owner.Exec(t.Context(), `TRUNCATE hitl.verdicts; INSERT INTO hitl.verdicts TABLE kept`); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "problems at the end", recordProblems(t, s), []string(nil))
}

// Before a panel has its decision, its verdicts are neither in the log that is shown nor in the proofs; they are in the tree all the same.
func TestVerdictsAreSealed(t *testing.T) {
	t.Parallel()
	s, _, key, verifier := signedLog(t)
	rec := before(t, s, 2, "sealed")
	desk := panelDesk(s, start.Add(time.Minute))
	signed := func(want int64) {
		t.Helper()
		eventually(t, "the entries are signed", func() bool {
			mustCheckpoint(t, s, key)
			return verified(t, s, verifier).Signed == want
		})
	}
	mustVote(t, desk, says(rec, "POSITIVE", 0))
	signed(8)
	equal(t, "log", statusesOf(t, s, rec.Item.ID), "[HUMAN_REVIEW]")
	equal(t, "proofs", len(mustProve(t, s, rec.Item.ID, verifier).Proofs), 1)
	mustVote(t, desk, says(rec, "POSITIVE", 1))
	signed(10)
	equal(t, "log", statusesOf(t, s, rec.Item.ID), "[HUMAN_REVIEW VERDICT VERDICT HUMAN_CORRECTED]")
	equal(t, "proofs", len(mustProve(t, s, rec.Item.ID, verifier).Proofs), 4)
}

// Statistics see the verdicts of rounds that have ended, by when they did, and no others.
func TestPanelVoices(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	early, late, waiting, single := before(t, s, 2, "a"), before(t, s, 2, "b"), before(t, s, 2, "c"), unsure("d", "so so")
	mustAppend(t, s, single, nil)
	mustDecide(t, s, corrected(single, "U1"), nil)
	for by := range 2 {
		mustVote(t, panelDesk(s, start.Add(time.Minute)), says(early, "POSITIVE", by))
		mustVote(t, panelDesk(s, start.Add(time.Hour)), says(late, []string{"POSITIVE", "NEGATIVE"}[by], by))
	}
	mustVote(t, panelDesk(s, start.Add(time.Minute)), says(waiting, "POSITIVE", 0))
	if _, err := panelDesk(s, start.Add(2*time.Hour)).Decide(t.Context(), says(late, "POSITIVE", 9)); err != nil {
		t.Fatal(err)
	}
	if _, err := owner.Exec(t.Context(), `INSERT INTO hitl.verdicts SELECT review_id, round, 'T1', 'U7', 'skipped', '', '', '', at, context FROM hitl.verdicts LIMIT 1`); err != nil {
		t.Fatal(err)
	}
	voices := func(q hitl.StatsQuery) (out []audit.PanelVoice) {
		t.Helper()
		for v, err := range s.PanelVoices(t.Context(), q) {
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, v)
		}
		return out
	}
	first := []audit.PanelVoice{{"default", early.Review.ID + "/1", "T1/U0", "POSITIVE"}, {"default", early.Review.ID + "/1", "T1/U1", "POSITIVE"}}
	second := []audit.PanelVoice{{"default", late.Review.ID + "/1", "T1/U0", "POSITIVE"}, {"default", late.Review.ID + "/1", "T1/U1", "NEGATIVE"}}
	all := hitl.StatsQuery{Since: start, Until: start.Add(24 * time.Hour)}
	equal(t, "first hour", voices(hitl.StatsQuery{Since: start, Until: start.Add(time.Hour)}), first)
	equal(t, "later", voices(hitl.StatsQuery{Since: start.Add(time.Hour), Until: start.Add(24 * time.Hour)}), second)
	equal(t, "all", len(voices(all)), 4)
	all.Queue = "other"
	equal(t, "another queue", len(voices(all)), 0)
	all.Queue = ""
	for _, err := range s.PanelVoices(t.Context(), all) {
		if err != nil {
			t.Error(err)
		}
		break // gives its connection back
	}
	equal(t, "all", len(voices(all)), 4)
}
