package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"hitl"
)

// seen is an item with an answer. Empty triggers are a drawn item's.
func seen(source, ai, label string, inclusion float64, triggers ...hitl.Trigger) hitl.Labelled {
	if len(triggers) == 0 {
		triggers = []hitl.Trigger{hitl.TriggerSample}
	}
	return hitl.Labelled{
		Source: source, Queue: "support", AILabel: ai, Label: label, Inclusion: inclusion, Triggers: triggers, Reviewed: true, Model: "m1", Confidence: 0.9,
		Scores: []hitl.Score{{Label: "bug"}, {Label: "billing"}}, Tokens: 10,
	}
}

// What is not answered, or was never likely to be, is no case; drawn items stand for those that were not.
func TestInsightsOfAnswers(t *testing.T) {
	t.Parallel()
	var a answered
	vip, money := hitl.RuleTrigger("vip"), hitl.RuleTrigger("money")
	for i := range 30 {
		label := "bug"
		if i < 12 {
			label = "billing"
		}
		a.add(seen("chat", "bug", label, 1, hitl.TriggerLowConfidence))
		a.add(seen("mail", "billing", "billing", 0.1))
		a.add(seen("mail", "billing", "billing", 1, vip))
		a.add(seen("mail", "billing", "billing", 1, money, hitl.TriggerLowConfidence))
	}
	for range 6 {
		a.add(seen("mail", "billing", "refund", 1, hitl.TriggerAlwaysReview))
	}
	a.add(seen("mail", "bug", "", 1, hitl.TriggerLowConfidence))
	a.add(seen("mail", "", "bug", 1, hitl.TriggerModelError))
	a.add(seen("mail", "bug", "billing", 0))
	in := a.insights(10)
	if in.Answered != 126 || in.Corrected == nil || in.Corrected.Hits != 18 || !close1000(in.Corrected.Value, 18.0/396) {
		t.Errorf("%d answered, corrected %+v", in.Answered, in.Corrected)
	}
	if f := in.Findings; len(f) != maxFindings || f[0].Kind != hitl.FindSource && f[0].Kind != hitl.FindConfusion {
		t.Errorf("findings %+v", f)
	}
	if len(in.Rules) != 2 || !in.Rules[0].Idle || !in.Rules[1].Idle || in.Rules[0].Anyway+in.Rules[1].Anyway != 30 {
		t.Errorf("rules %+v", in.Rules)
	}
	if len(in.Unknown) != 1 || in.Unknown[0].Label != "refund" || in.Unknown[0].Share.Hits != 6 {
		t.Errorf("unknown %+v", in.Unknown)
	}
	in.Classifier, in.Drift = "main", compareWindows(window{}, window{}, true)
	in.Models, in.Before = []string{"m2"}, []string{"m1"}
	var out bytes.Buffer
	if err := printInsights(&out, in); err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{
		"main: 0 items, people answered 126 of them. They correct an estimated 4.5% (", "Worth the most:\n  1. ",
		`Of what the model calls "bug", people call 40.0% (24.6% to 57.7%) "billing": at least 7 items`, `source "chat" are corrected more often`,
		"bug             billing     12 of 30", "vip", "refund", "too few items: it takes 50", "its calibration changed",
	} {
		if !strings.Contains(out.String(), words) {
			t.Errorf("%q is not in\n%s", words, out.String())
		}
	}
}

func close1000(a, b float64) bool { return a-b < 1e-3 && b-a < 1e-3 }

func TestFindingWords(t *testing.T) {
	t.Parallel()
	r := &rate{Items: 300, Hits: 0, figure: figure{0, 0, 0.013}}
	for want, f := range map[string]finding{
		`Rule "vip" finds nothing: none of its 300 answered reviews was corrected, at most 1.3% would be. It alone asked for 290 of them.`: {
			Kind: hitl.FindIdleRule, Subject: "vip", Rate: r, Anyway: 10, Reviews: 290,
		},
		`Items in queue "legal" are corrected more often than others: 50.0% (40.0% to 60.0%) against 0.0% (0.0% to 1.3%).`: {
			Kind: hitl.FindQueue, Subject: "legal", Rate: &rate{figure: figure{0.5, 0.4, 0.6}}, Rest: r,
		},
		`People answer "refund", which the model does not know, to 0.0% (0.0% to 1.3%) of all items.`: {Kind: hitl.FindUnknown, Subject: "refund", Rate: r},
	} {
		if got := findingWords(f); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// Windows that come from the same are called unchanged, others by how much they changed.
func TestCompareWindows(t *testing.T) {
	t.Parallel()
	draw := func(seed uint64, n int, bugs, sure float64, tokens int) (w window) {
		random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // repeatable
		for range n {
			label := "billing"
			if random.Float64() < bugs {
				label = "bug"
			}
			w.add(hitl.Labelled{AILabel: label, Confidence: 1 - (1-sure)*random.Float64(), Tokens: tokens + random.IntN(20), Model: "m1", Calibration: "c1"})
		}
		return w
	}
	for name, tc := range map[string]struct {
		current window
		want    []change
	}{
		"the same":        {draw(2, 800, 0.3, 0.5, 10), []change{changeNone, changeNone, changeNone}},
		"other labels":    {draw(2, 800, 0.6, 0.5, 10), []change{changeStrong, changeNone, changeNone}},
		"surer":           {draw(2, 800, 0.3, 0.8, 10), []change{changeNone, changeStrong, changeNone}},
		"a little longer": {draw(2, 800, 0.3, 0.5, 11), []change{changeNone, changeNone, changeNotable}},
		"few":             {draw(2, fewestDrift-1, 0.9, 0.5, 10), []change{changeTooFew, changeTooFew, changeTooFew}},
	} {
		got := compareWindows(draw(1, 1000, 0.3, 0.5, 10), tc.current, true)
		for i, d := range got {
			if d.Change != tc.want[i] {
				t.Errorf("%s: %s is %+v, want %s", name, d.What, d, tc.want[i])
			}
			if (d.KS == nil) != (d.What == hitl.DriftLabels || d.Change == changeTooFew) || (d.Stability == nil) != (d.Change == changeTooFew) {
				t.Errorf("%s: %+v", name, d)
			}
		}
	}
	var w window
	if w.add(hitl.Labelled{Tokens: 4}); len(w.labels) != 0 {
		t.Error("an item that the model failed on counts")
	}
	if w = draw(1, 3, 0, 0, 1); !slices.Equal(w.models, []string{"m1+c1"}) {
		t.Errorf("models %v", w.models)
	}
}

// What people answer in Slack is what the command counts.
func TestInsights(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	if out := w.mustHitl("insights"); !strings.Contains(out, "0 items, people answered 0 of them") || !strings.Contains(out, "Nothing stands out") {
		t.Errorf("before any item: %s", out)
	}
	it := w.post("one", unsureText, http.StatusAccepted)
	right := other(it.AILabel)
	w.click("U0ANA", w.card(it), right)
	w.shows(it, "U0ANA", right)
	w.post("two", unsureText+" Again.", http.StatusAccepted)
	var out struct{ Classifiers []insights }
	if err := json.Unmarshal([]byte(w.mustHitl("insights", "--since", "1h", "--json")), &out); err != nil {
		t.Fatal(err)
	}
	if len(out.Classifiers) != 1 {
		t.Fatalf("%+v", out)
	}
	in := out.Classifiers[0]
	if in.Items != 2 || in.Answered != 1 || len(in.Models) != 1 || len(in.Before) != 0 || len(in.Drift) != 3 || in.Drift[0].Change != changeTooFew {
		t.Errorf("%+v", in)
	}
	if c := in.Confused; len(c) != 1 || c[0].AILabel != it.AILabel || c[0].Label != right || c[0].Errors != 1 || len(in.Unknown) != 0 || len(in.Findings) != 0 {
		t.Errorf("%+v", in)
	}
	if printed := w.mustHitl("insights", "--classifier", in.Classifier); !strings.Contains(printed, fmt.Sprintf("%s: 2 items, people answered 1 of them.", in.Classifier)) {
		t.Error(printed)
	}
	for _, args := range [][]string{{"--classifier", "nobody"}, {"--error-worth=-1"}} {
		if _, err := w.hitl(append([]string{"insights"}, args...)...); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
}
