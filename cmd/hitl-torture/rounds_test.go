package main

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hitl"
	"hitl/bot/slacksim"
)

// small is a world with nothing running in it.
func small(t *testing.T) *world {
	t.Helper()
	sim, err := slacksim.New(slacksim.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	return &world{
		slack: &workspace{sim: sim}, hist: newHistory(), sink: &sink{arrived: map[string][]event{}},
		feeds: []feed{{Name: "wait", UndoFor: time.Second}, {Name: "amend", UndoFor: time.Second, Amend: true}, {Name: "panel", Panel: 2}},
	}
}

func entry(status hitl.Status, round int, label, by string) hitl.Entry {
	return hitl.Entry{Status: status, Label: label, Reviewer: by, Context: map[string]any{"round": float64(round)}}
}

func TestEntriesAndCallbacks(t *testing.T) {
	t.Parallel()
	ana := small(t).slack.id(reviewers()[0])
	const ben = "T/UBEN"
	begun := entry(hitl.HumanReview, 1, "", "")
	accepted, taken := entry(hitl.HumanAccepted, 1, "POSITIVE", ben), entry(hitl.Reopened, 1, "", ben)
	corrected, byPanel := entry(hitl.HumanCorrected, 2, "NEGATIVE", ana), entry(hitl.HumanAccepted, 1, "POSITIVE", "panel")
	first, reopened, second := decided(1, "POSITIVE", ben), pending(2), decided(2, "NEGATIVE", ana)
	panel, adjudged := decided(1, "POSITIVE", "panel"), decided(1, "POSITIVE", ana)
	vote := func(label, by string) hitl.Entry { return entry(hitl.Voted, 1, label, by) }
	twice := []hitl.Entry{begun, accepted, taken, corrected}
	for name, c := range map[string]struct {
		source  string
		entries []hitl.Entry
		now     state
		told    []state
		want    Report
	}{
		"one decision":                  {"wait", []hitl.Entry{begun, accepted}, first, []state{first}, Report{}},
		"undone while it waited":        {"wait", twice, second, []state{second}, Report{Undone: 1}},
		"told what did not stand":       {"wait", twice, second, []state{first, second}, Report{Undone: 1, MisorderedCallbacks: 1, ChangedCallbacks: 1}},
		"told of each":                  {"amend", twice, second, []state{first, reopened, second}, Report{Undone: 1}},
		"not told that it was undone":   {"amend", twice, second, []state{first, second}, Report{Undone: 1, MissingCallbacks: 1, MisorderedCallbacks: 1}},
		"told in another order":         {"amend", twice, second, []state{reopened, first, second}, Report{Undone: 1, MisorderedCallbacks: 2}},
		"decided twice in a round":      {"wait", []hitl.Entry{begun, accepted, accepted}, first, []state{first}, Report{DoubleDecisions: 1}},
		"another decision stands":       {"wait", []hitl.Entry{begun, accepted}, decided(1, "NEGATIVE", ben), []state{first}, Report{Lost: 1}},
		"undone by somebody else":       {"wait", []hitl.Entry{begun, accepted, entry(hitl.Reopened, 1, "", ana), corrected}, second, []state{second}, Report{Undone: 1, Lost: 1}},
		"no entry of the reopening":     {"wait", []hitl.Entry{begun, accepted, corrected}, second, []state{second}, Report{Lost: 1, DoubleDecisions: 1}},
		"a panel agrees":                {"panel", []hitl.Entry{begun, vote("POSITIVE", ana), vote("POSITIVE", ben), byPanel}, panel, []state{panel}, Report{Verdicts: 2, Panels: 1}},
		"an adjudicator decides":        {"panel", []hitl.Entry{begun, vote("POSITIVE", ana), vote("NEGATIVE", ben), entry(hitl.HumanAccepted, 1, "POSITIVE", ana)}, adjudged, []state{adjudged}, Report{Verdicts: 2, Panels: 1, Adjudicated: 1}},
		"another decides":               {"panel", []hitl.Entry{begun, vote("POSITIVE", ana), vote("NEGATIVE", ben), accepted}, first, []state{first}, Report{Verdicts: 2, Panels: 1, Adjudicated: 1, WrongPanels: 1}},
		"two verdicts of one":           {"panel", []hitl.Entry{begun, vote("POSITIVE", ben), vote("POSITIVE", ben), byPanel}, panel, []state{panel}, Report{Verdicts: 2, Panels: 1, WrongPanels: 2, Adjudicated: 1}},
		"a verdict too many":            {"panel", []hitl.Entry{begun, vote("POSITIVE", ana), vote("POSITIVE", ben), vote("POSITIVE", "T/UEVE"), byPanel}, panel, []state{panel}, Report{Verdicts: 3, Panels: 1, WrongPanels: 2}},
		"not what the majority decided": {"panel", []hitl.Entry{begun, vote("NEGATIVE", ana), vote("NEGATIVE", ben), byPanel}, panel, []state{panel}, Report{Verdicts: 2, Panels: 1, WrongPanels: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := small(t)
			f := &finalItem{item: item{key: key{c.source, name}, ids: []string{"itm_1"}, panel: w.feed(c.source).Panel}, itemLog: itemLog{Entries: c.entries}}
			label, by := c.now.parts()
			f.view.Decision = &decisionView{Label: label, Reviewer: by, Round: c.now.round()}
			for _, s := range c.told {
				w.sink.arrived["itm_1"] = append(w.sink.arrived["itm_1"], event{id: string(s), says: s})
			}
			var r Report
			w.checkCallbacks(f, w.checkEntries(f, &r), &r)
			if bad := r.bad(); bad != (len(r.Problems) > 0) {
				t.Errorf("bad is %v: %v", bad, r.Problems)
			}
			problems := r.Problems
			c.want.Callbacks, r.Problems = len(c.told), nil
			if diff := cmp.Diff(c.want, r); diff != "" {
				t.Errorf("%s\n%v", diff, problems)
			}
		})
	}
}

func TestClaims(t *testing.T) {
	t.Parallel()
	const ana, ben = "U0ANA", "T/U0BEN"
	const second = int64(time.Second)
	mine := claim{round{"rev_1", 1}, ana, 10 * second}
	for name, c := range map[string]struct {
		by        string
		at, known int64
		returned  bool
		want      Report
	}{
		"their own":            {"T/" + ana, 4 * second, 5 * second, false, Report{Claims: 1}},
		"before":               {ben, 1 * second, 5 * second, false, Report{Claims: 1}},
		"afterwards":           {ben, 11 * second, 12 * second, false, Report{Claims: 1, ClaimsAbandoned: 1}},
		"perhaps afterwards":   {ben, 4 * second, 12 * second, false, Report{Claims: 1}},
		"perhaps given back":   {ben, 4 * second, 5 * second, true, Report{Claims: 1}},
		"over somebody's head": {ben, 4 * second, 5 * second, false, Report{Claims: 1, DecidedOverClaims: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cs := newClaims(newHistory())
			cs.seen[mine] = 3 * second
			if c.returned {
				cs.giveBack("rev_1", ana)
			}
			e := entry(hitl.HumanAccepted, 1, "POSITIVE", c.by)
			e.At = cs.hist.start.Add(time.Duration(c.at))
			f := &finalItem{itemLog: itemLog{Entries: []hitl.Entry{e}}}
			f.ops = []operation{{do: told, out: decided(1, "POSITIVE", c.by), known: true, end: c.known}}
			var r Report
			cs.check(map[string]*finalItem{"rev_1": f}, &r)
			r.Problems = nil
			if diff := cmp.Diff(c.want, r); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestClaimOnCard(t *testing.T) {
	t.Parallel()
	cs := newClaims(newHistory())
	c := shownCard{
		review: "rev_1", buttons: []slacksim.Element{{Value: "rev_1.2"}},
		text: "x\nClaimed by <@U0ANA> until <!date^" + "9999999999" + "^{time}|2286-11-20 17:46 UTC>",
	}
	got, ok := cs.claimed(c)
	if !ok || got.round != (round{"rev_1", 2}) || got.by != "U0ANA" || got.until <= cs.hist.now() {
		t.Errorf("%+v, %v", got, ok)
	}
	cs.sight([]shownCard{c})
	cs.sight([]shownCard{c})
	if len(cs.seen) != 1 {
		t.Errorf("%v", cs.seen)
	}
	for _, text := range []string{"x", "Claimed by <@U0ANA> until <!date^1^{time}|1970-01-01 00:00 UTC>"} {
		if _, ok := cs.claimed(shownCard{review: "rev_1", buttons: c.buttons, text: text}); ok {
			t.Errorf("%q is no claim that lasts", text)
		}
	}
}

func TestDistinct(t *testing.T) {
	t.Parallel()
	lost := func(call int64, label string) operation {
		return operation{do: clicked, round: 1, by: "T/UANA", label: label, call: call, end: never}
	}
	seen := operation{do: clicked, round: 1, by: "T/UANA", label: "POSITIVE", known: true, call: 5, end: 6}
	got := distinct([]operation{lost(3, "POSITIVE"), lost(1, "POSITIVE"), seen, lost(2, "NEGATIVE"), lost(4, "POSITIVE")})
	if want := []operation{lost(1, "POSITIVE"), lost(2, "NEGATIVE"), seen}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

func TestEffective(t *testing.T) {
	t.Parallel()
	const ana = "T/UANA"
	did := func(do action, round int, label string) operation {
		return operation{do: do, round: round, by: ana, label: label, end: never}
	}
	log := []hitl.Entry{
		entry(hitl.Voted, 1, "NEGATIVE", ana), entry(hitl.HumanAccepted, 1, "POSITIVE", ana), entry(hitl.Reopened, 1, "", ana),
		entry(hitl.HumanCorrected, 2, "NEGATIVE", "T/UBEN"),
	}
	refused := did(clicked, 2, "NEGATIVE")
	refused.known = true
	want := []operation{{do: submitted, end: never}, did(voted, 1, "NEGATIVE"), did(clicked, 1, "POSITIVE"), did(undone, 1, ""), refused}
	ops := append(slices.Clone(want), did(clicked, 1, "NEGATIVE"), did(clicked, 2, "NEGATIVE"), did(voted, 1, "POSITIVE"), did(undone, 2, ""))
	if got := effective(ops, log); !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}
