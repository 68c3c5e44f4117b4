package hitl

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"
)

// lessSure is an order by how low the highest score is.
func lessSure(share float64) OrderRules {
	return OrderRules{By: "confidence", Uncertainty: func(s []Score) float64 { return 1 - s[0].Probability }, Uniform: share}
}

// The uniform part has the share that was asked for, within five standard deviations, is drawn from the id alone, and independently of other draws.
func TestOrderDraw(t *testing.T) {
	t.Parallel()
	const n, share, blind = 100_000, 0.2, 0.3
	o := lessSure(share)
	aged, both := 0, 0
	for range n {
		r := Review{ID: NewID("rev", time.Unix(0, 0)), Priority: PriorityNormal}
		o.place(&r, []Score{{"A", 0.75}, {"B", 0.25}})
		again := Review{ID: r.ID, Priority: PriorityNormal}
		o.place(&again, []Score{{"A", 1}})
		if (r.Teaches == nil) != (again.Teaches == nil) {
			t.Fatalf("%s: what is drawn depends on the scores", r.ID)
		}
		if r.Order != "confidence" || r.OrderUniform != share || r.Teaches != nil && *r.Teaches != 0.25 {
			t.Fatalf("%+v", r)
		}
		if r.Teaches == nil {
			aged++
			if drawBlind(blind, r.ID) {
				both++
			}
		}
	}
	for what, c := range map[string]struct {
		got int
		p   float64
	}{"by age": {aged, share}, "by age and blind": {both, share * blind}} {
		if want, sd := n*c.p, math.Sqrt(n*c.p*(1-c.p)); math.Abs(float64(c.got)-want) > 5*sd {
			t.Errorf("%d of %d are %s, want %.0f ± %.0f", c.got, n, what, want, 5*sd)
		}
	}
}

// A turn is the uniform part's as often as its share says, whichever of the two reviews changes, and the same two draw the same again.
func TestOrderTurns(t *testing.T) {
	t.Parallel()
	const n, share = 50_000, 0.3
	o := Ordering{Uniform: share}
	for what, pair := range map[string]func(i int) (string, string){
		"the first by uncertainty changes": func(i int) (string, string) { return fmt.Sprint("rev_", i), "rev_x" },
		"the oldest changes":               func(i int) (string, string) { return "rev_x", fmt.Sprint("rev_", i) },
	} {
		aged := 0
		for i := range n {
			least, oldest := pair(i)
			first := o.Aged(least, oldest)
			if again := o.Aged(least, oldest); again != first {
				t.Fatal("drawn once so, once so")
			}
			if first {
				aged++
			}
		}
		if want, sd := n*share, math.Sqrt(n*share*(1-share)); math.Abs(float64(aged)-want) > 5*sd {
			t.Errorf("%s: %d of %d turns, want %.0f ± %.0f", what, aged, n, want, 5*sd)
		}
	}
}

func TestIntakePlaces(t *testing.T) {
	t.Parallel()
	one, half := 1.0, 0.5
	for name, c := range map[string]struct {
		rules    OrderRules
		priority Priority
		scores   []Score
		order    string
		teaches  *float64
	}{
		"unsure":          {lessSure(0), PriorityNormal, []Score{{"A", 0.5}}, "confidence", &half},
		"failed":          {lessSure(0), PriorityNormal, nil, "confidence", &one},
		"no number":       {lessSure(0), PriorityNormal, []Score{{"A", math.NaN()}}, "confidence", &one},
		"out of range":    {lessSure(0), PriorityNormal, []Score{{"A", -7}}, "confidence", &one},
		"uniform part":    {lessSure(1), PriorityNormal, []Score{{"A", 0.5}}, "confidence", nil},
		"urgent":          {lessSure(0), PriorityUrgent, []Score{{"A", 0.5}}, "", nil},
		"a random sample": {lessSure(0), PrioritySample, []Score{{"A", 0.5}}, "", nil},
		"oldest first":    {OrderRules{}, PriorityNormal, []Score{{"A", 0.5}}, "", nil},
	} {
		r := Review{ID: "rev_1", Priority: c.priority}
		c.rules.place(&r, c.scores)
		same := (r.Teaches == nil) == (c.teaches == nil)
		if same && r.Teaches != nil {
			same = *r.Teaches == *c.teaches
		}
		if !same || r.Order != c.order {
			t.Errorf("%s: order %q, teaches %v", name, r.Order, r.Teaches)
		}
	}
	m := newMemory()
	in := testIntake(m, &waiting{}, unsure)
	in.Queues["support"] = QueueRules{Order: lessSure(0)}
	rec, _, err := in.Submit(t.Context(), Submission{Source: "shop", Text: "so so"})
	if err != nil || rec.Review == nil || rec.Review.Order != "confidence" || rec.Review.Teaches == nil {
		t.Errorf("submitted: %+v, %v", rec.Review, err)
	}
}

// chooser is a ledger that names a next card, and an index that hears of it.
type chooser struct {
	id       string
	err      error
	asked    []Ordering
	promoted []string
}

func (c *chooser) NextCard(_ context.Context, _, _ string, _ int, o Ordering) (string, bool, error) {
	c.asked = append(c.asked, o)
	return c.id, c.id != "", c.err
}

func (c *chooser) Promote(_ context.Context, queue string, p Priority, id string) error {
	c.promoted = append(c.promoted, fmt.Sprint(queue, " ", p, " ", id))
	return nil
}

func TestPrefer(t *testing.T) {
	t.Parallel()
	away := errors.New("away")
	for name, c := range map[string]struct {
		chooser
		rules    QueueRules
		asked    string
		promoted string
		err      error
	}{
		"by age":       {chooser{id: "rev_1"}, QueueRules{RemindAfter: time.Hour}, "[]", "[]", nil},
		"in order":     {chooser{id: "rev_1"}, QueueRules{Order: lessSure(0.2)}, "[{0.2 false}]", "[support urgent rev_1]", nil},
		"reminders":    {chooser{id: "rev_1"}, QueueRules{Order: lessSure(0.2), RemindAfter: time.Hour}, "[{0.2 true}]", "[support urgent rev_1]", nil},
		"none to tell": {chooser{}, QueueRules{Order: lessSure(0.2)}, "[{0.2 false}]", "[]", nil},
		"trouble":      {chooser{id: "rev_1", err: away}, QueueRules{Order: lessSure(0.2)}, "[{0.2 false}]", "[]", away},
	} {
		d := testDesk(newMemory(), testTime)
		d.Orders, d.Waiting, d.Queues = &c.chooser, &c.chooser, map[string]QueueRules{"support": c.rules}
		room, err := d.Prefer(t.Context(), "support", "C1", 10)
		if room == (name == "none to tell") || !errors.Is(err, c.err) || fmt.Sprint(c.chooser.asked) != c.asked || fmt.Sprint(c.chooser.promoted) != c.promoted {
			t.Errorf("%s: asked %v, error %v", name, c.chooser.asked, err)
		}
	}
}
