package hitl

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// ballots keeps the voices of panels in memory, by the rules of Panels.
type ballots struct {
	*memory
	mu     sync.Mutex
	voices []Voice
	calls  int
	fail   error
}

func (b *ballots) Review(ctx context.Context, id string) (Record, error) {
	rec, err := b.memory.Review(ctx, id)
	b.mu.Lock()
	defer b.mu.Unlock()
	rec.Voices = slices.Clone(b.voices)
	return rec, err
}

func (b *ballots) Vote(ctx context.Context, v Vote, conclude Conclude) (Ballot, error) {
	rec, err := b.memory.Review(ctx, v.ReviewID)
	if err != nil {
		return Ballot{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.calls++; b.fail != nil {
		return Ballot{}, b.fail
	}
	for _, old := range b.voices {
		if old.Reviewer == v.Reviewer && old.Label == v.Label {
			return Ballot{Voices: slices.Clone(b.voices), Decision: rec.Decision}, nil
		} else if old.Reviewer == v.Reviewer {
			return Ballot{}, &VotedError{old}
		}
	}
	switch {
	case rec.Decision != nil:
		return Ballot{}, &AlreadyDecidedError{*rec.Decision}
	case len(b.voices) >= rec.Review.Panel:
		return Ballot{}, ErrPanelComplete
	}
	b.voices = append(b.voices, v.Voice)
	out := Ballot{Voices: slices.Clone(b.voices)}
	if len(b.voices) < rec.Review.Panel {
		return out, nil
	}
	d, c, err := conclude(out.Voices)
	if err != nil || d == nil {
		return out, err
	}
	_, out.Decided, err = b.Decide(ctx, *d, c)
	out.Decision = d
	return out, err
}

// before opens a review of the memory before a panel.
func before(t *testing.T, panel int) (*ballots, *Desk, *seen, Record) {
	t.Helper()
	b := &ballots{memory: newMemory()}
	in := testIntake(b.memory, &waiting{}, unsure)
	in.Queues["support"] = QueueRules{Panel: PanelRules{Reviewers: panel, Share: 1}}
	rec, _, err := in.Submit(t.Context(), Submission{Source: "shop", ExternalID: "1", Text: "hm"})
	if err != nil || rec.Review.Panel != panel {
		t.Fatalf("panel of %d, error %v", rec.Review.Panel, err)
	}
	desk, observed := testDesk(b.memory, testTime.Add(time.Minute)), &seen{}
	desk.Decisions, desk.Panels, desk.Observer = b, b, observed
	return b, desk, observed, rec
}

func saying(rec Record, label string, by int) Verdict {
	return Verdict{ReviewID: rec.Review.ID, Kind: Correct, Label: label, Reviewer: Reviewer{Team: "T1", User: fmt.Sprint("U", by)}}
}

func TestVote(t *testing.T) {
	t.Parallel()
	const yes, no = "POSITIVE", "NEGATIVE" // the model says yes
	for name, tc := range map[string]struct {
		panel   int
		labels  []string
		status  Status
		context string
	}{
		"all accept":             {3, []string{yes, yes, yes}, HumanAccepted, "3/3"},
		"most accept":            {3, []string{yes, no, yes}, HumanAccepted, "2/3"},
		"most correct":           {5, []string{yes, no, no, yes, no}, HumanCorrected, "3/5"},
		"two agree":              {2, []string{no, no}, HumanCorrected, "2/2"},
		"two do not":             {2, []string{no, yes}, HumanReview, ""},
		"half is no majority":    {4, []string{no, no, yes, yes}, HumanReview, ""},
		"clear, but not all in":  {3, []string{no, no}, HumanReview, ""},
		"clear long before":      {15, slices.Repeat([]string{no}, 14), HumanReview, ""},
		"the largest":            {15, append(slices.Repeat([]string{no}, 8), slices.Repeat([]string{yes}, 7)...), HumanCorrected, "8/15"},
		"the largest, not clear": {14, append(slices.Repeat([]string{no}, 7), slices.Repeat([]string{yes}, 7)...), HumanReview, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, desk, observed, rec := before(t, tc.panel)
			var got Record
			for i, label := range tc.labels {
				for range 2 { // Slack delivers twice
					var err error
					if got, err = desk.Vote(t.Context(), saying(rec, label, i)); err != nil {
						t.Fatalf("verdict %d: %v", i, err)
					}
				}
			}
			final := 0
			if tc.status.Final() {
				final = 1
			}
			if got.Status() != tc.status || len(got.Voices) != len(tc.labels) || len(b.callbacks) != final || len(observed.decided) != final {
				t.Fatalf("%s after %d voices, %d callbacks, %d observed", got.Status(), len(got.Voices), len(b.callbacks), len(observed.decided))
			}
			if final == 0 {
				if got.Adjudicated() != (len(tc.labels) == tc.panel) || got.Gathering() == got.Adjudicated() {
					t.Errorf("gathering %v, adjudicated %v", got.Gathering(), got.Adjudicated())
				}
				return
			}
			d := got.Decision
			if !d.ByPanel() || d.Context["panel"] != tc.context || got.Review.State != ReviewDecided || d.Comment != "" {
				t.Errorf("decision %+v", d)
			}
			if !strings.Contains(string(b.callbacks[0].Body), `"reviewer":"panel"`) {
				t.Errorf("callback %s", b.callbacks[0].Body)
			}
			var already *AlreadyDecidedError
			if _, err := desk.Vote(t.Context(), saying(rec, yes, 99)); !errors.As(err, &already) {
				t.Errorf("a late verdict: %v", err)
			}
		})
	}
}

func TestVoteRefuses(t *testing.T) {
	t.Parallel()
	b, desk, _, rec := before(t, 2)
	if _, err := desk.Decide(t.Context(), saying(rec, "NEGATIVE", 1)); !errors.Is(err, ErrPanel) {
		t.Errorf("decided alone: %v", err)
	}
	if _, err := desk.Vote(t.Context(), saying(rec, "NEGATIVE", 1)); err != nil {
		t.Fatal(err)
	}
	var voted *VotedError
	if _, err := desk.Vote(t.Context(), saying(rec, "POSITIVE", 1)); !errors.As(err, &voted) || voted.Standing.Label != "NEGATIVE" {
		t.Errorf("something else: %v", err)
	}
	var invalid *InvalidError
	if _, err := desk.Vote(t.Context(), saying(rec, "SPAM", 2)); !errors.As(err, &invalid) || invalid.Field != "label" {
		t.Errorf("no label of the model: %v", err)
	}
	long := saying(rec, "POSITIVE", 2)
	long.Comment = strings.Repeat("x", MaxCommentBytes+1)
	if _, err := desk.Vote(t.Context(), long); !errors.As(err, &invalid) || invalid.Field != "comment" {
		t.Errorf("long comment: %v", err)
	}
	b.fail = errors.New("connection lost")
	if _, err := desk.Vote(t.Context(), saying(rec, "POSITIVE", 2)); !errors.Is(err, b.fail) {
		t.Errorf("lost: %v", err)
	}
	b.fail = nil
	if _, err := desk.Vote(t.Context(), saying(rec, "POSITIVE", 2)); err != nil {
		t.Fatal(err)
	}
	if _, err := desk.Vote(t.Context(), saying(rec, "POSITIVE", 3)); !errors.Is(err, ErrPanelComplete) {
		t.Errorf("one too many: %v", err)
	}
	if _, err := desk.Vote(t.Context(), Verdict{ReviewID: "rev_none"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("missing: %v", err)
	}
	// Without a majority an adjudicator decides, as anybody decides, and the decision says so.
	v := saying(rec, "POSITIVE", 9)
	v.Context = map[string]string{"surface": "button"}
	got, err := desk.Decide(t.Context(), v)
	if err != nil || got.Decision.Reviewer != v.Reviewer || got.Decision.Context["adjudicated"] != "true" || got.Decision.Context["surface"] != "button" {
		t.Errorf("adjudication: %+v, %v", got.Decision, err)
	}
	if _, ok := v.Context["adjudicated"]; ok {
		t.Error("the caller's map was changed")
	}

	desk.Panels = nil
	if _, err := desk.Vote(t.Context(), saying(rec, "POSITIVE", 3)); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without panels: %v", err)
	}
	m := newMemory()
	plain := openReview(t, m, unsure)
	single := testDesk(m, testTime)
	single.Panels = &ballots{memory: m}
	if _, err := single.Vote(t.Context(), saying(plain, "POSITIVE", 1)); !errors.As(err, &invalid) || invalid.Field != "review" {
		t.Errorf("review without a panel: %v", err)
	}
}

// An incomplete panel expires as any review does, and erasure cancels it.
func TestPanelEndsByItself(t *testing.T) {
	t.Parallel()
	b, desk, _, rec := before(t, 3)
	if _, err := desk.Vote(t.Context(), saying(rec, "NEGATIVE", 1)); err != nil {
		t.Fatal(err)
	}
	if won, err := desk.Cancel(t.Context(), rec.Review.ID, "erased"); !won || err != nil {
		t.Errorf("cancelled: %v, %v", won, err)
	}
	if len(b.callbacks) != 1 {
		t.Errorf("%d callbacks", len(b.callbacks))
	}
}

func TestPanelIsDrawn(t *testing.T) {
	t.Parallel()
	for _, share := range []float64{0, 0.1, 0.5, 1} {
		rules, panels := PanelRules{Reviewers: 3, Share: share}, 0
		const n = 20000
		for range n {
			id := NewID("rev", testTime)
			size := rules.size(id)
			if size != rules.size(id) {
				t.Fatal("two draws of one id differ")
			}
			if size == 3 {
				panels++
			}
		}
		// Five standard deviations.
		if got := float64(panels) / n; math.Abs(got-share) > 5*math.Sqrt(share*(1-share)/n) {
			t.Errorf("share %v: %v got a panel", share, got)
		}
	}
	for _, n := range []int{0, 1} {
		if size := (PanelRules{Reviewers: n, Share: 1}).size("rev_1"); size != 1 {
			t.Errorf("%d reviewers: %d", n, size)
		}
	}
}

func TestTally(t *testing.T) {
	t.Parallel()
	var voices []Voice
	for _, l := range []string{"b", "c", "a", "c"} {
		voices = append(voices, Voice{Label: l})
	}
	if got := fmt.Sprint(Tally(voices)); got != "[{c 2} {a 1} {b 1}]" {
		t.Error(got)
	}
}
