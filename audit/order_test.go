package audit_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hitl"
	"hitl/audit"
)

// ordered is an order in which an hour's reminder counts.
var ordered = hitl.Ordering{Uniform: 0.2, Reminds: true}

// addOrdered appends a review that nobody has been reminded of; teaches below 0: of the uniform part.
func addOrdered(t *testing.T, s *audit.Store, id string, teaches float64, change ...func(*hitl.Review)) {
	t.Helper()
	rec := unsure(id, "text of "+id)
	now := time.Now().UTC().Truncate(time.Microsecond)
	r := rec.Review
	r.ID, r.OpenedAt, r.RemindAt, r.ExpiresAt = "rev_"+id, now, now.Add(time.Hour), time.Time{}
	r.Order, r.OrderUniform = "margin", 0.2
	if teaches >= 0 {
		r.Teaches = &teaches
	}
	for _, f := range change {
		f(r)
	}
	rec.Route.Priority = r.Priority
	mustAppend(t, s, rec, nil)
}

func of(p hitl.Priority) func(*hitl.Review) { return func(r *hitl.Review) { r.Priority = p } }

// served are ways in which reviews come before people, one after the other.
var served = map[string]func(t *testing.T, s *audit.Store, o hitl.Ordering) (id string){
	"Next": func(t *testing.T, s *audit.Store, o hitl.Ordering) string {
		t.Helper()
		id, err := s.Next(t.Context(), person("U"+hitl.NewID("x", start)), []hitl.Offer{{Queue: "default", For: time.Hour, Order: o}})
		if err != nil {
			t.Fatal(err)
		}
		return id
	},
	"NextCard": func(t *testing.T, s *audit.Store, o hitl.Ordering) string {
		t.Helper()
		id, _, err := s.NextCard(t.Context(), "default", "C1", 0, o)
		if err != nil {
			t.Fatal(err)
		}
		if id != "" {
			if _, err := s.BeginCard(t.Context(), id, "T1", "C1", 0); err != nil {
				t.Fatal(err)
			}
		}
		return id
	},
}

// all returns everything that is served, without the ids' prefix.
func all(t *testing.T, s *audit.Store, o hitl.Ordering, next func(*testing.T, *audit.Store, hitl.Ordering) string) (ids []string) {
	t.Helper()
	for id := next(t, s, o); id != ""; id = next(t, s, o) {
		ids = append(ids, strings.TrimPrefix(id, "rev_"))
	}
	return ids
}

func worklist(t *testing.T, s *audit.Store, o hitl.Ordering) []string {
	t.Helper()
	list, err := s.Worklist(t.Context(), hitl.WorkQuery{Queue: "default", Size: 1000, Queued: o})
	if err != nil {
		t.Fatal(err)
	}
	return idsOf(list.Rows)
}

// A backlog: the least sure come first, equally unsure ones by age, and each once; by age, if that is the order by now.
func TestOrderByUncertainty(t *testing.T) {
	t.Parallel()
	for name, next := range served {
		s, _ := open(t)
		const n = 60
		var want, byAge []string
		for i := range n {
			id := fmt.Sprintf("%02d", i)
			addOrdered(t, s, id, float64(i*37%20)/20)
			byAge = append(byAge, id)
		}
		want = slices.Clone(byAge)
		teaches := func(id string) int {
			var i int
			_, _ = fmt.Sscan(strings.TrimLeft(id, "0")+" ", &i)
			return i * 37 % 20
		}
		slices.SortStableFunc(want, func(a, b string) int { return teaches(b) - teaches(a) })
		equal(t, name+": the list", worklist(t, s, ordered), want)
		equal(t, name+": the list by age", worklist(t, s, hitl.Ordering{}), byAge)
		equal(t, name, all(t, s, ordered, next), want)
	}
}

// The uniform part has its share of the turns, by age, and who knows the ids knows the turns. In the list both advance by their shares.
func TestOrderUniformPart(t *testing.T) {
	t.Parallel()
	const n = 100
	for name, next := range served {
		s, _ := open(t)
		var least, aged []string
		for i := range n {
			id := fmt.Sprintf("%03d", i)
			if i%5 == 4 {
				addOrdered(t, s, id, -1)
				aged = append(aged, id)
				continue
			}
			addOrdered(t, s, id, float64(i)/n)
			least = append([]string{id}, least...)
		}
		var want []string
		for a, b := least, aged; len(a)+len(b) > 0; {
			if len(a) == 0 || len(b) > 0 && ordered.Aged("rev_"+a[0], "rev_"+b[0]) {
				want, b = append(want, b[0]), b[1:]
			} else {
				want, a = append(want, a[0]), a[1:]
			}
		}
		list := worklist(t, s, ordered)
		for upTo := 10; upTo <= n; upTo += 10 {
			drawn := 0
			for _, id := range list[:upTo] {
				if slices.Contains(aged, id) {
					drawn++
				}
			}
			if drawn < upTo/5-1 || drawn > upTo/5+1 {
				t.Errorf("%s: %d of the first %d in the list are of the uniform part", name, drawn, upTo)
			}
		}
		for what, part := range map[string][]string{"uncertain": least, "uniform": aged} {
			got := slices.DeleteFunc(slices.Clone(list), func(id string) bool { return !slices.Contains(part, id) })
			if diff := cmp.Diff(part, got); diff != "" {
				t.Errorf("%s: the %s part in the list:\n%s", name, what, diff)
			}
		}
		equal(t, name, all(t, s, ordered, next), want)
	}
}

// Urgent ones come before, samples after; neither by uncertainty, whatever they may have come in with.
func TestOrderKeepsPriorities(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	addOrdered(t, s, "a", 0.1, of(hitl.PrioritySample))
	addOrdered(t, s, "b", 0.2)
	addOrdered(t, s, "c", 0.9)
	addOrdered(t, s, "d", 0.3, of(hitl.PriorityUrgent))
	addOrdered(t, s, "e", 0.8, of(hitl.PriorityUrgent))
	addOrdered(t, s, "f", 0.9, of(hitl.PrioritySample))
	want := strings.Fields("d e c b a f")
	equal(t, "list", worklist(t, s, ordered), want)
	equal(t, "an urgent one waits for a card", served["NextCard"](t, s, ordered), "")
	equal(t, "Next", all(t, s, ordered, served["Next"]), want)
	if _, err := owner.Exec(t.Context(), `UPDATE hitl.reviews SET priority = 'sample' WHERE priority = 'urgent'`); err != nil {
		t.Fatal(err)
	}
	equal(t, "cards of normal ones", all(t, s, ordered, served["NextCard"]), []string{"c", "b"})
}

// What is late goes by age, before all of its priority that is not.
func TestOrderDeadlines(t *testing.T) {
	t.Parallel()
	ago := func(opened, remind, escalate, expire time.Duration) func(*hitl.Review) {
		return func(r *hitl.Review) {
			now := time.Now().UTC().Truncate(time.Microsecond)
			at := func(d time.Duration) time.Time {
				if d == 0 {
					return time.Time{}
				}
				return now.Add(d - opened)
			}
			r.OpenedAt, r.RemindAt, r.EscalateAt, r.ExpiresAt = now.Add(-opened), at(remind), at(escalate), at(expire)
		}
	}
	for name, c := range map[string]struct {
		order hitl.Ordering
		old   func(*hitl.Review)
		late  bool
	}{
		"a reminder to come":             {ordered, ago(time.Hour, 2*time.Hour, 0, 0), false},
		"its time has come":              {ordered, ago(time.Hour, time.Minute, 0, 0), true},
		"it was given":                   {ordered, ago(time.Hour, 0, 0, 0), true},
		"there are none":                 {hitl.Ordering{Uniform: 0.2}, ago(time.Hour, 0, 0, 0), false},
		"less than half to expiry":       {ordered, ago(time.Hour, 5*time.Hour, 0, 3*time.Hour), false},
		"more than half to expiry":       {ordered, ago(2*time.Hour, 5*time.Hour, 0, 3*time.Hour), true},
		"more than half to be urgent":    {hitl.Ordering{Uniform: 0.2}, ago(2*time.Hour, 0, 3*time.Hour, 9*time.Hour), true},
		"a decision that was taken back": {ordered, func(r *hitl.Review) { r.Round = 2 }, true},
	} {
		for way, next := range served {
			s, _ := open(t)
			addOrdered(t, s, "a", 0.1, c.old)
			addOrdered(t, s, "b", 0.9)
			want := []string{"b", "a"}
			if c.late {
				want = []string{"a", "b"}
			}
			equal(t, name+": list", worklist(t, s, c.order), want)
			equal(t, name+": "+way, all(t, s, c.order, next), want)
		}
	}
}

// Cards: what has one, or an intent, or a twin with one, needs none; a full channel has none to give.
func TestNextCard(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	for i, id := range strings.Fields("a b c d") {
		addOrdered(t, s, id, float64(i)/10)
	}
	if _, err := owner.Exec(t.Context(), `UPDATE hitl.reviews SET twin = 'same' WHERE id IN ('rev_a', 'rev_d')`); err != nil {
		t.Fatal(err)
	}
	card := func(limit int) string {
		id, _, err := s.NextCard(t.Context(), "default", "C1", limit, ordered)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	equal(t, "the twin that leads is the older one", card(1), "rev_c")
	equal(t, "asking changes nothing", card(1), "rev_c")
	begun, err := s.BeginCard(t.Context(), "rev_c", "T1", "C1", 1)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "no room", card(1), "")
	equal(t, "one is being posted", card(2), "rev_b")
	if err := s.CardPosted(t.Context(), begun.ID, "C1", "1.1"); err != nil {
		t.Fatal(err)
	}
	equal(t, "one is posted", card(0), "rev_b")
	if err := s.CardGone(t.Context(), hitl.Card{ID: begun.ID, Attempt: 1, State: hitl.CardPosted, Channel: "C1", TS: "1.1"}); err != nil {
		t.Fatal(err)
	}
	equal(t, "it was deleted", card(1), "rev_c")
	if id, _, err := s.NextCard(t.Context(), "none", "C1", 0, ordered); id != "" || err != nil {
		t.Errorf("a queue of nothing: %q, %v", id, err)
	}
}

// The log keeps which order was in force, and the review's place in it.
func TestOrderInLog(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	addOrdered(t, s, "a", 0.25)
	addOrdered(t, s, "b", -1)
	mustAppend(t, s, unsure("c", "by age"), nil)
	equal(t, "contexts", scalar[string](t, owner, `
		SELECT string_agg(concat_ws(' ', context->>'order', context->>'order_uniform', context->>'teaches', context->>'inclusion'), '; ' ORDER BY id) FROM hitl.log`),
		"margin 0.2 0.25 1; margin 0.2 1; 1")
}
