package hitl

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	ann = Reviewer{Team: "T1", User: "UANN"}
	bob = Reviewer{Team: "T1", User: "UBOB"}
)

func openReview(t *testing.T, m *memory, o oracle) Record {
	t.Helper()
	rec, _, err := testIntake(m, &waiting{}, o).Submit(t.Context(), Submission{Source: "shop", ExternalID: "1", Text: "hm"})
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func TestDecide(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		verdict Verdict
		status  Status
		label   string
	}{
		"accept":               {Verdict{Kind: Accept}, HumanAccepted, "POSITIVE"},
		"correct":              {Verdict{Kind: Correct, Label: "NEGATIVE", Reason: "irony", Comment: "see\x00above"}, HumanCorrected, "NEGATIVE"},
		"correct to the AI's":  {Verdict{Kind: Correct, Label: "POSITIVE"}, HumanAccepted, "POSITIVE"},
		"with its round named": {Verdict{Kind: Accept, Round: 1}, HumanAccepted, "POSITIVE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMemory()
			rec := openReview(t, m, unsure)
			desk, observed := testDesk(m, testTime.Add(time.Minute)), &seen{}
			desk.Observer = observed
			tc.verdict.ReviewID, tc.verdict.Reviewer = rec.Review.ID, ann
			got, err := desk.Decide(t.Context(), tc.verdict)
			if err != nil {
				t.Fatal(err)
			}
			if got.Status() != tc.status || got.Label() != tc.label || got.Review.State != ReviewDecided || got.Decision.Reviewer != ann {
				t.Errorf("got %v %q %v by %v", got.Status(), got.Label(), got.Review.State, got.Decision.Reviewer)
			}
			if strings.ContainsRune(got.Decision.Comment, 0) {
				t.Error("comment cannot be stored")
			}
			if len(m.callbacks) != 1 || len(observed.decided) != 1 {
				t.Errorf("%d callbacks, %d observed, want 1 each", len(m.callbacks), len(observed.decided))
			}
			if _, err := desk.Decide(t.Context(), tc.verdict); err != nil {
				t.Errorf("the same again: %v", err)
			}
			if len(m.callbacks) != 1 {
				t.Errorf("%d callbacks after a double click, want 1", len(m.callbacks))
			}
			tc.verdict.Reviewer = bob
			var already *AlreadyDecidedError
			if _, err := desk.Decide(t.Context(), tc.verdict); !errors.As(err, &already) || already.Decision.Reviewer != ann {
				t.Errorf("second reviewer: %v, want AlreadyDecidedError by ann", err)
			}
		})
	}
}

func TestDecideRace(t *testing.T) {
	t.Parallel()
	m := newMemory()
	rec := openReview(t, m, unsure)
	desk := testDesk(m, testTime)
	var wg sync.WaitGroup
	errs := make([]error, 32)
	for i := range errs {
		wg.Go(func() {
			_, errs[i] = desk.Decide(t.Context(), Verdict{ReviewID: rec.Review.ID, Kind: Accept, Reviewer: Reviewer{Team: "T1", User: NewID("U", testTime)}})
		})
	}
	wg.Wait()
	winners := 0
	for _, err := range errs {
		switch {
		case err == nil:
			winners++
		case !errors.Is(err, ErrAlreadyDecided):
			t.Errorf("loser was told %v", err)
		}
	}
	if winners != 1 {
		t.Errorf("%d winners, want 1", winners)
	}
}

func TestDecideRefuses(t *testing.T) {
	t.Parallel()
	m := newMemory()
	rec := openReview(t, m, oracle{err: ErrModel})
	for name, tc := range map[string]struct {
		verdict Verdict
		field   string
	}{
		"nothing to accept": {Verdict{Kind: Accept, Reviewer: ann}, "verdict"},
		"unknown label":     {Verdict{Kind: Correct, Label: "SPAM", Reviewer: ann}, "label"},
		"no label":          {Verdict{Kind: Correct, Reviewer: ann}, "label"},
		"unknown verdict":   {Verdict{Kind: "shrugged", Reviewer: ann}, "verdict"},
		"nobody":            {Verdict{Kind: Correct, Label: "NEGATIVE"}, "reviewer"},
		"long reason":       {Verdict{Kind: Correct, Label: "NEGATIVE", Reviewer: ann, Reason: strings.Repeat("a", MaxReasonBytes+1)}, "reason"},
		"long comment":      {Verdict{Kind: Correct, Label: "NEGATIVE", Reviewer: ann, Comment: strings.Repeat("a", MaxCommentBytes+1)}, "comment"},
	} {
		tc.verdict.ReviewID = rec.Review.ID
		_, err := testDesk(m, testTime).Decide(t.Context(), tc.verdict)
		var invalid *InvalidError
		if !errors.As(err, &invalid) || invalid.Field != tc.field {
			t.Errorf("%s: %v, want an InvalidError for %s", name, err, tc.field)
		}
	}
	if _, err := testDesk(m, testTime).Decide(t.Context(), Verdict{ReviewID: "rev_none", Kind: Accept, Reviewer: ann}); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown review: %v", err)
	}
	m.fail = errors.New("connection reset")
	if _, err := testDesk(m, testTime).Decide(t.Context(), Verdict{ReviewID: rec.Review.ID, Kind: Correct, Label: "NEGATIVE", Reviewer: ann}); err == nil {
		t.Error("ticked without a commit")
	}
	if len(m.decisions) != 0 {
		t.Errorf("decisions were made: %v", m.decisions)
	}
}

func TestExpireDue(t *testing.T) {
	t.Parallel()
	m := newMemory()
	rec := openReview(t, m, unsure)
	if n, err := testDesk(m, testTime.Add(time.Minute)).ExpireDue(t.Context(), 10); n != 0 || err != nil {
		t.Errorf("expired %d early, %v", n, err)
	}
	late := testDesk(m, testTime.Add(2*time.Hour))
	if n, err := late.ExpireDue(t.Context(), 10); n != 1 || err != nil {
		t.Fatalf("expired %d, %v; want 1", n, err)
	}
	if n, err := late.ExpireDue(t.Context(), 10); n != 0 || err != nil {
		t.Errorf("expired %d again, %v", n, err)
	}
	_, err := late.Decide(t.Context(), Verdict{ReviewID: rec.Review.ID, Kind: Accept, Reviewer: ann})
	var already *AlreadyDecidedError
	if !errors.As(err, &already) || already.Decision.Status != Expired {
		t.Errorf("click on an expired card: %v", err)
	}
	if len(m.callbacks) != 1 {
		t.Errorf("%d callbacks, want 1", len(m.callbacks))
	}
}
