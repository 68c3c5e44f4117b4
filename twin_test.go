package hitl

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func twinOf(t *testing.T, change func(*Intake), o oracle, text string) []byte {
	t.Helper()
	in := testIntake(newMemory(), &waiting{}, o)
	in.Normal = strings.ToLower
	in.Queues["support"] = QueueRules{MergeDuplicates: true}
	change(in)
	rec, _, err := in.Submit(t.Context(), Submission{Source: "shop", Text: text})
	if err != nil {
		t.Fatal(err)
	}
	return rec.Review.Twin
}

func TestTwin(t *testing.T) {
	t.Parallel()
	as := func(*Intake) {}
	want := twinOf(t, as, unsure, "Hm")
	if len(want) != 32 {
		t.Fatalf("%d bytes", len(want))
	}
	failed := oracle{err: ErrModel}
	for name, tc := range map[string]struct {
		change func(*Intake)
		oracle oracle
		text   string
		same   bool
	}{
		"same in normal form":  {as, unsure, "hM", true},
		"the model's own fate": {as, failed, "hm", true},
		"another text":         {as, unsure, "h m", false},
		"switched off":         {func(in *Intake) { in.Queues["support"] = QueueRules{} }, unsure, "hm", false},
		"without a form":       {func(in *Intake) { in.Normal = nil }, unsure, "hm", false},
		"a sample": {func(in *Intake) {
			s := in.Sources["shop"]
			s.Policy = sampled{threshold(0.85)}
			in.Sources["shop"] = s
		}, unsure, "hm", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := twinOf(t, tc.change, tc.oracle, tc.text); slices.Equal(got, want) != tc.same {
				t.Errorf("got %x, and %x", got, want)
			}
		})
	}
	in := &Intake{Normal: strings.ToLower}
	on := QueueRules{MergeDuplicates: true}
	for name, r := range map[string]Review{"panel": {Panel: 3}, "blind": {Panel: 1, Blind: true}} {
		if in.twin(on, Record{Review: &r}) != nil {
			t.Errorf("%s has a twin", name)
		}
	}
	one := in.twin(on, Record{Review: &Review{}, Labels: []string{"A", "B"}})
	for _, labels := range [][]string{{"AB"}, {"A"}, {"A", "B", "C"}} {
		if slices.Equal(one, in.twin(on, Record{Review: &Review{}, Labels: labels})) {
			t.Errorf("labels %q make no difference", labels)
		}
	}
	if !slices.Equal(one, in.twin(on, Record{Review: &Review{}, Labels: []string{"B", "A"}})) {
		t.Error("the order of labels makes a difference")
	}
}

// sampled reviews everything as a sample.
type sampled struct{ Policy }

func (s sampled) Route(i Item, p Prediction, failure error) Route {
	r := s.Policy.Route(i, p, failure)
	r.Triggers = append(r.Triggers, TriggerSample)
	return r
}

// pair is a ledger that knows of twins what a test says.
type pair struct {
	*memory
	twins  []Record
	busy   bool // nobody can be decided
	err    error
	gave   []Answer
	rounds int
}

func (p *pair) Twins(_ context.Context, _ string, _ Reviewer, _ time.Time, limit int) ([]Record, error) {
	return p.twins[:min(limit, len(p.twins))], p.err
}

func (p *pair) DecideTogether(ctx context.Context, d Decision, c *Callback, twins []Answer) (Decision, bool, []string, error) {
	standing, won, err := p.Decide(ctx, d, c)
	if err != nil || !won {
		return standing, won, nil, err
	}
	decided, _, _ := p.DecideLater(ctx, d, twins)
	return standing, won, decided, nil
}

func (p *pair) DecideLater(_ context.Context, _ Decision, twins []Answer) (decided []string, more bool, err error) {
	p.rounds++
	if p.busy {
		return nil, true, nil
	}
	for _, a := range twins {
		decided = append(decided, a.Decision.ReviewID)
	}
	p.gave = append(p.gave, twins...)
	p.twins = p.twins[len(twins):]
	return decided, len(p.twins) > 0, nil
}

// together returns a desk, a review with twins, and what the desk is told of them.
func together(t *testing.T, n int) (*Desk, *pair, Record, *seen) {
	t.Helper()
	m := newMemory()
	rec := openReview(t, m, unsure)
	rec.Review.Twin, rec.Twins = []byte{1}, n
	m.records["shop\x001"] = rec
	p := &pair{memory: m}
	for i := range n {
		twin := rec
		twin.Item.ID = "itm_" + strings.Repeat("x", i+1)
		twin.Review = &Review{ID: "rev_" + strings.Repeat("x", i+1), ItemID: twin.Item.ID, Round: i + 1, State: ReviewOpen, Queue: "support", Twin: []byte{1}}
		if i%2 == 1 {
			twin.Prediction.Label = "NEGATIVE"
		}
		p.twins = append(p.twins, twin)
	}
	desk, observed := testDesk(m, testTime.Add(time.Minute)), &seen{}
	desk.Decisions, desk.Twins, desk.Observer = m, p, observed
	return desk, p, rec, observed
}

func TestDecideTogether(t *testing.T) {
	t.Parallel()
	desk, p, rec, observed := together(t, 2)
	v := Verdict{ReviewID: rec.Review.ID, Kind: Accept, Reviewer: ann, Comment: "spam", Context: map[string]string{"surface": "button"}}
	got, err := desk.Decide(t.Context(), v)
	if err != nil || got.Twins != 0 {
		t.Fatalf("%d twins left, %v", got.Twins, err)
	}
	want := *got.Decision
	for i, status := range []Status{HumanAccepted, HumanCorrected} {
		want.ReviewID, want.Round, want.Status = p.gave[i].Decision.ReviewID, i+1, status
		want.Context = map[string]string{"surface": "button", "with": rec.Review.ID}
		if diff := cmp.Diff(want, p.gave[i].Decision); diff != "" {
			t.Error(diff)
		}
		if c := p.gave[i].Callback; c == nil || c.ItemID != "itm_"+strings.Repeat("x", i+1) || !strings.Contains(string(c.Body), string(status)) {
			t.Errorf("callback %+v", c)
		}
	}
	if len(v.Context) != 1 || got.Decision.Context["with"] != "" {
		t.Error("the decision itself names the review")
	}
	if len(observed.decided) != 3 {
		t.Errorf("%d observed", len(observed.decided))
	}
}

// The clock, and an erasure, end one review and no other.
func TestEndsAlone(t *testing.T) {
	t.Parallel()
	desk, p, rec, _ := together(t, 2)
	desk.Now = func() time.Time { return testTime.Add(2 * time.Hour) }
	if n, err := desk.ExpireDue(t.Context(), 10); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if err := desk.DecideTwins(t.Context(), rec.Review.ID); err != nil {
		t.Error(err)
	}
	if p.rounds != 0 {
		t.Errorf("%d twins decided", len(p.gave))
	}
}

func TestDecideTwins(t *testing.T) {
	t.Parallel()
	desk, p, rec, observed := together(t, 3*twinBatch/2)
	if err := desk.DecideTwins(t.Context(), rec.Review.ID); err != nil || p.rounds != 0 {
		t.Fatalf("undecided: %d rounds, %v", p.rounds, err)
	}
	if err := desk.DecideTwins(t.Context(), "rev_none"); err != nil {
		t.Errorf("unknown review: %v", err)
	}
	if _, err := desk.Decide(t.Context(), Verdict{ReviewID: rec.Review.ID, Kind: Accept, Reviewer: ann}); err != nil {
		t.Fatal(err)
	}
	if len(p.gave) != twinBatch {
		t.Fatalf("%d decided with the click", len(p.gave))
	}
	p.busy = true
	if err := desk.DecideTwins(t.Context(), rec.Review.ID); !errors.Is(err, errTwinsBusy) {
		t.Errorf("busy: %v", err)
	}
	p.busy = false
	if err := desk.DecideTwins(t.Context(), rec.Review.ID); err != nil || len(p.twins) != 0 {
		t.Errorf("%d left, %v", len(p.twins), err)
	}
	if len(observed.decided) != 1+3*twinBatch/2 {
		t.Errorf("%d observed", len(observed.decided))
	}
	p.err = ErrUnavailable
	if err := desk.DecideTwins(t.Context(), rec.Review.ID); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without a database: %v", err)
	}
}
