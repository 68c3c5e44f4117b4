package audit_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"hitl"
)

func skip(rec hitl.Record, user string) hitl.Verdict {
	return hitl.Verdict{
		ReviewID: rec.Review.ID, Round: rec.Review.Round, Kind: hitl.Skip, Reason: "unclear", Comment: "no idea", Reviewer: person(user),
		Context: map[string]string{"surface": "modal"},
	}
}

func TestSkip(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	rec := mustAppend(t, s, unsure("a", "so so"), nil)
	mustClaim(t, s, claimOf(rec, "U1"))
	for range 2 { // a modal may be sent twice
		if raised, err := s.Skip(t.Context(), skip(rec, "U1"), start); raised || err != nil {
			t.Fatalf("first skip: raised %v, error %v", raised, err)
		}
	}
	equal(t, "claim", scalar[string](t, owner, `SELECT claimed_user FROM hitl.reviews`), "")
	equal(t, "notices", scalar[int](t, owner, `SELECT count(*) FROM hitl.notices`), 0)
	entries, err := s.Log(t.Context(), rec.Item.ID)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	e := entries[1]
	if ref, _ := e.Context["comment_ref"].(string); e.Status != hitl.SkippedByOne || e.Reviewer != "T1/U1" || e.Context["reason"] != "unclear" || len(ref) != len("hmac-sha256:")+64 {
		t.Errorf("entry: %+v", e)
	}
	if _, ok := e.Context["comment"]; ok {
		t.Error("the log holds the comment's words")
	}
	second := skip(rec, "U2")
	second.Reason = "not_mine"
	if raised, err := s.Skip(t.Context(), second, start); !raised || err != nil {
		t.Fatalf("second skip: raised %v, error %v", raised, err)
	}
	third, err := s.Skip(t.Context(), skip(rec, "U3"), start)
	equal(t, "third skip", []any{third, err}, []any{false, nil})
	equal(t, "notices", scalar[string](t, owner, `SELECT string_agg(kind || ': ' || recipient || (data->>'reasons'), ';') FROM hitl.notices`), "skipped_twice: unclear\nnot_mine")
	got, err := s.OpenReviews(t.Context(), "default", "", 10)
	if err != nil || len(got) != 1 || got[0].Priority != hitl.PriorityUrgent {
		t.Errorf("what the queue's index is made of: %+v, %v", got, err)
	}
	mustDecide(t, s, corrected(rec, "U1"), nil) // who has skipped may still decide
	var already *hitl.AlreadyDecidedError
	if _, err := s.Skip(t.Context(), skip(rec, "U4"), start); !errors.As(err, &already) {
		t.Errorf("skip of a closed review: %v", err)
	}
	equal(t, "problems", recordProblems(t, s), []string(nil))
}

func TestSkipRace(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	rec := mustAppend(t, s, unsure("a", "so so"), nil)
	var wg sync.WaitGroup
	var raised atomic.Int64
	for i := range 20 {
		wg.Go(func() {
			r, err := s.Skip(t.Context(), skip(rec, fmt.Sprint("U", i%10)), start)
			if err != nil {
				t.Error(err)
			}
			if r {
				raised.Add(1)
			}
		})
	}
	wg.Wait()
	equal(t, "raised", raised.Load(), int64(1))
	equal(t, "skips", scalar[int](t, owner, `SELECT count(*) FROM hitl.verdicts`), 10)
	equal(t, "entries", scalar[int](t, owner, `SELECT count(*) FROM hitl.log WHERE status = 'SKIPPED'`), 10)
	equal(t, "notices", scalar[int](t, owner, `SELECT count(*) FROM hitl.notices`), 1)
}

func TestSkipAfterAVoice(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	rec := mustAppend(t, s, unsure("a", "so so"), nil)
	if _, err := owner.Exec(t.Context(), `INSERT INTO hitl.verdicts VALUES ($1, 1, 'T1', 'U1', 'accepted', '', '', '', now(), '{}')`, rec.Review.ID); err != nil {
		t.Fatal(err)
	}
	var invalid *hitl.InvalidError
	if _, err := s.Skip(t.Context(), skip(rec, "U1"), start); !errors.As(err, &invalid) || invalid.Field != "verdict" {
		t.Errorf("skip after a voice: %v", err)
	}
}

// Whatever is changed in the skips is found.
func TestVerifyRecordOfSkips(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	rec, erased := mustAppend(t, s, unsure("a", "so so"), nil), mustAppend(t, s, unsure("b", "hm"), nil)
	for _, r := range []hitl.Record{rec, erased} {
		if _, err := s.Skip(t.Context(), skip(r, "U1"), start); err != nil {
			t.Fatal(err)
		}
	}
	mustDecide(t, s, corrected(erased, "U2"), nil)
	if n, err := s.Erase(t.Context(), []string{erased.Item.ID}, start, "cli/ana", "asked to"); n != 1 || err != nil {
		t.Fatalf("erased %d, %v", n, err)
	}
	equal(t, "problems of an honest record", recordProblems(t, s), []string(nil))
	if _, err := owner.Exec(t.Context(), `CREATE TABLE kept AS TABLE hitl.verdicts`); err != nil {
		t.Fatal(err)
	}
	for sql, want := range map[string]string{
		`UPDATE hitl.verdicts SET reason = 'x' WHERE review_id = $1`:         "in reason",
		`UPDATE hitl.verdicts SET comment = 'x' WHERE review_id = $1`:        "in comment",
		`UPDATE hitl.verdicts SET comment = '' WHERE review_id = $1`:         "in comment",
		`UPDATE hitl.verdicts SET comment = 'x' WHERE review_id <> $1`:       "in comment",
		`UPDATE hitl.verdicts SET at = now() WHERE review_id = $1`:           "in at",
		`UPDATE hitl.verdicts SET label = 'x' WHERE review_id = $1`:          "in label",
		`UPDATE hitl.verdicts SET reviewer_user = 'U9' WHERE review_id = $1`: "has no entry in the log",
		`UPDATE hitl.verdicts SET round = 2 WHERE review_id = $1`:            "is gone",
		`UPDATE hitl.verdicts SET kind = 'accepted' WHERE review_id = $1`:    "is gone",
		`DELETE FROM hitl.verdicts WHERE review_id = $1`:                     "is gone",
		`INSERT INTO hitl.verdicts SELECT review_id, 7, reviewer_team, reviewer_user, kind, label, reason, comment, at, context FROM kept WHERE review_id = $1`: "has no entry in the log",
	} {
		change := `BEGIN; SET LOCAL session_replication_role = replica; ` + strings.ReplaceAll(sql, "$1", "'"+rec.Review.ID+"'") + `; COMMIT`
		if _, err := owner.Exec(t.Context(), change); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		if found := recordProblems(t, s); !strings.Contains(strings.Join(found, "\n"), want) {
			t.Errorf("%s: found %q, want %q", sql, found, want)
		}
		if _, err := owner.Exec(t.Context(), `BEGIN; SET LOCAL session_replication_role = replica;
			DELETE FROM hitl.verdicts; INSERT INTO hitl.verdicts SELECT * FROM kept; COMMIT`); err != nil {
			t.Fatal(err)
		}
	}
}
