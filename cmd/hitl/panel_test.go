package main

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hitl"
)

// votes gives one verdict of a panel.
func (w *world) votes(user string, it item, label, comment string) {
	w.t.Helper()
	w.click(user, w.card(it), "Give your verdict")
	w.fillIn(user, label, "", comment)
}

// Three people judge an item without knowing of each other, and their majority is told to the upstream; two do not agree about another, and an
// adjudicator decides. The log holds all of it, and the figures of their agreement are those that a hand comes to.
func TestPanel(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) {
		s.Queue = "    panel: {reviewers: 3, adjudicators: {users: [U0CHLOE]}}"
	})
	keys := strings.Fields(w.mustHitl("log", "key", "log.example.org"))
	w.appendConfig("audit: {key: \"" + keys[0] + "\", checkpoint_every: 1s}\n")
	it := w.post("majority", unsureText, http.StatusAccepted)
	right := other(it.AILabel)
	w.shows(it, "0 of 3 verdicts are in")
	w.votes("U0ANA", it, right, "a secret thought")
	w.votes("U0BEN", it, it.AILabel, "")
	w.shows(it, "2 of 3 verdicts are in")
	if shown := w.cardNow(it).AllText(); strings.Contains(shown, "U0ANA") || strings.Contains(shown, "secret") {
		t.Errorf("card: %s", shown)
	}
	api := string(w.request(http.MethodGet, "/v1/items/"+it.ID, nil, nil).body) + string(w.request(http.MethodGet, "/v1/items/"+it.ID+"/log", nil, nil).body)
	if strings.Contains(api, "U0ANA") || !strings.Contains(api, `"panel":3`) {
		t.Errorf("API before the decision: %s", api)
	}
	if out := w.mustHitl("quality", "agreement"); !strings.Contains(out, "No panel's review was decided") {
		t.Errorf("figures before the decision: %s", out)
	}
	w.votes("U0CHLOE", it, right, "")
	w.shows(it, "by the panel", right, "2 of 3 verdicts agree")
	if got := w.calledBack(it); got.Status != hitl.HumanCorrected || got.Label != right || got.Reviewer != "panel" {
		t.Errorf("upstream was told %+v", got)
	}
	want := []hitl.Status{hitl.HumanReview, hitl.Voted, hitl.Voted, hitl.Voted, hitl.HumanCorrected}
	if diff := cmp.Diff(want, statuses(w.log(it.ID))); diff != "" {
		t.Error(diff)
	}
	api = string(w.request(http.MethodGet, "/v1/items/"+it.ID, nil, nil).body)
	if !strings.Contains(api, `"reviewer":"T0SLACKSIM/U0ANA"`) || !strings.Contains(api, "a secret thought") {
		t.Errorf("API after the decision: %s", api)
	}

	// From now on a panel is two people. They do not agree.
	w.stop()
	config, err := os.ReadFile(w.configFile())
	if err == nil {
		err = os.WriteFile(w.configFile(), []byte(strings.Replace(string(config), "reviewers: 3", "reviewers: 2", 1)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.start()
	tie := w.post("tie", unsureText, http.StatusAccepted)
	w.votes("U0ANA", tie, right, "")
	w.votes("U0BEN", tie, tie.AILabel, "")
	w.shows(tie, "no majority", right, tie.AILabel)
	w.eventually("the adjudicator is called", func() bool {
		for _, m := range w.sim.Messages(reviewChannel) {
			if strings.Contains(m.Text, "has come to no majority") && fmt.Sprint(m.Mentions) == "[@U0CHLOE]" {
				return true
			}
		}
		return false
	})
	w.click("U0ANA", w.card(tie), "Accept")
	w.told("U0ANA", "Only the adjudicators")
	w.click("U0CHLOE", w.card(tie), "Accept")
	w.shows(tie, "U0CHLOE", "an adjudicator decided")
	if got := w.calledBack(tie); got.Status != hitl.HumanAccepted || !strings.HasSuffix(got.Reviewer, "/U0CHLOE") {
		t.Errorf("upstream was told %+v", got)
	}

	w.verifies("9 entries, 9 of them bound by")
	proof := filepath.Join(w.dir, "proof.json")
	if err := os.WriteFile(proof, w.request(http.MethodGet, "/v1/items/"+it.ID+"/log", nil, nil).body, 0o600); err != nil {
		t.Fatal(err)
	}
	w.mustHitl("verify", "--proof", proof, "--key", keys[1])

	// By hand. Verdicts: R R A on the one, R A on the other. Raw: (1/3 + 0)/2. Alpha: Do = 1 - 1/5, De = 1 - (3·2 + 2·1)/(5·4), so 1 - .8/.6.
	// AC1: shares (2/3 + 1/2)/2 and (1/3 + 1/2)/2, pe = 2·.58333·.41667 = .48611, so (.16667 - .48611)/(1 - .48611).
	var out struct{ Queues []hitl.Agreement }
	if err := json.Unmarshal([]byte(w.mustHitl("quality", "agreement", "--queue", "support", "--json")), &out); err != nil {
		t.Fatal(err)
	}
	if len(out.Queues) != 1 {
		t.Fatalf("%+v", out)
	}
	a := out.Queues[0]
	for name, f := range map[string]struct {
		got  hitl.Figure
		want float64
	}{"raw": {a.Raw, 1. / 6}, "alpha": {a.Alpha, -1. / 3}, "ac1": {a.AC1, (1./6 - 35./72) / (1 - 35./72)}} {
		if f.got.Value == nil || math.Abs(*f.got.Value-f.want) > 1e-9 {
			t.Errorf("%s: %+v, want %v", name, f.got, f.want)
		}
	}
	if a.Queue != "support" || a.Reviews != 2 || a.Verdicts != 5 || a.Reviewers != 3 ||
		cmp.Diff([]hitl.Confusion{{Labels: [2]string{"NEGATIVE", "POSITIVE"}, Pairs: 3}}, a.Confused) != "" {
		t.Errorf("%+v", a)
	}
	var people struct{ Panels []reliability }
	if err := json.Unmarshal([]byte(w.mustHitl("quality", "reviewers", "--json")), &people); err != nil {
		t.Fatal(err)
	}
	overlaps := []reliability{{Reviewer: "T0SLACKSIM/U0ANA", Items: 2}, {Reviewer: "T0SLACKSIM/U0BEN", Items: 2}, {Reviewer: "T0SLACKSIM/U0CHLOE", Items: 1}}
	if diff := cmp.Diff(overlaps, people.Panels); diff != "" {
		t.Error(diff)
	}
	printed := w.mustHitl("quality", "agreement")
	for _, words := range []string{"support: 2 reviews with two verdicts or more, 5 verdicts by 3 reviewers", "0.167", "-0.333", "-0.622", "NEGATIVE  POSITIVE      3", "Too low to build on", "Krippendorff's, Content Analysis, 2004"} {
		if !strings.Contains(printed, words) {
			t.Errorf("%q is not in\n%s", words, printed)
		}
	}
	if _, err := w.sim.Command(t.Context(), "U0ANA", reviewChannel, "/hitl", "stats"); err != nil {
		t.Fatal(err)
	}
	w.told("U0ANA", "Krippendorff's alpha -0.33")
}

func TestAdvice(t *testing.T) {
	t.Parallel()
	number := func(f float64) hitl.Figure { return hitl.Figure{Value: &f} }
	pairs, one := hitl.Figure{Undefined: hitl.UndefinedPairs}, hitl.Figure{Undefined: hitl.UndefinedCategory}
	for name, tc := range map[string]struct {
		a    hitl.Agreement
		want string
	}{
		"no pairs":             {hitl.Agreement{Raw: pairs, Alpha: pairs, AC1: pairs}, "no review has two"},
		"one category":         {hitl.Agreement{Raw: number(1), Alpha: one, AC1: one}, "always gave the same label"},
		"high":                 {hitl.Agreement{Raw: number(0.9), Alpha: number(0.8), AC1: number(0.85)}, "Reliable"},
		"rare labels":          {hitl.Agreement{Raw: number(0.95), Alpha: number(-0.02), AC1: number(0.94)}, "go by AC1"},
		"middling":             {hitl.Agreement{Raw: number(0.8), Alpha: number(0.667), AC1: number(0.7)}, "tentative"},
		"low":                  {hitl.Agreement{Raw: number(0.8), Alpha: number(0.666), AC1: number(0.7)}, "Too low"},
		"worse than by chance": {hitl.Agreement{Raw: number(0.1), Alpha: number(-0.4), AC1: number(-0.5)}, "Too low"},
	} {
		if got := advice(tc.a); !strings.Contains(got, tc.want) {
			t.Errorf("%s: %s", name, got)
		}
	}
}
