package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"hitl/audit"
)

func TestAnchoringMeaning(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		shown, blind [2]int // corrected, decisions
		want         string
	}{
		"no blind ones":    {[2]int{3, 50}, [2]int{0, 0}, "no blind review"},
		"no shown ones":    {[2]int{0, 0}, [2]int{3, 50}, "it takes 10"},
		"few":              {[2]int{3, 50}, [2]int{9, 9}, "it takes 10"},
		"swayed":           {[2]int{10, 200}, [2]int{60, 200}, "by 17.9 to 32.1 percentage points: seeing it sways"},
		"the other way":    {[2]int{60, 200}, [2]int{10, 200}, "by 17.9 to 32.1 percentage points: seeing it makes them doubt"},
		"nothing to see":   {[2]int{20, 200}, [2]int{22, 200}, "Not enough to say whether"},
		"none of ten each": {[2]int{0, 10}, [2]int{0, 10}, "by up to 27.8 percentage points less often, or by up to 27.8"},
	} {
		a := anchoring(audit.Anchoring{
			Queue: "support", Shown: audit.Against{Corrected: tc.shown[0], Decisions: tc.shown[1]},
			Blind: audit.Against{Corrected: tc.blind[0], Decisions: tc.blind[1]},
		})
		if !strings.Contains(a.Meaning, tc.want) {
			t.Errorf("%s: %s", name, a.Meaning)
		}
		if (a.Difference == nil) != (tc.shown[1] == 0 || tc.blind[1] == 0) {
			t.Errorf("%s: difference %+v", name, a.Difference)
		}
	}
}

func TestPrintReviewers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		counts audit.ReviewerQuality
		want   []string
		not    string
	}{
		"nine known answers": {audit.ReviewerQuality{Gold: 9, GoldRight: 9}, []string{"9 of 9", "too few to say"}, "%"},
		"ten":                {audit.ReviewerQuality{Gold: 10, GoldRight: 9}, []string{"9 of 10", "90.0% (59.6% to 98.2%)"}, "too few"},
		"pace": {
			audit.ReviewerQuality{Decisions: 5, Judged: 4, Corrected: 1, Gaps: 4, Quick: 3, MedianGap: 1.5},
			[]string{"25.0%", "75.0%", "2s"},
			"NaN",
		},
	} {
		var out bytes.Buffer
		if err := printReviewers(&out, []reviewerFigures{figuresOf(tc.counts)}); err != nil {
			t.Fatal(err)
		}
		_, row, _ := strings.Cut(out.String(), "\n")
		row, _, _ = strings.Cut(row, "\n")
		for _, words := range tc.want {
			if !strings.Contains(row, words) {
				t.Errorf("%s: %q is not in %q", name, words, row)
			}
		}
		if strings.Contains(row, tc.not) {
			t.Errorf("%s: %q is in %q", name, tc.not, row)
		}
	}
}

// What people do in Slack is what the commands count.
func TestQuality(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) { s.Queue = "    blind_share: 1" })
	for _, c := range []struct{ command, want string }{{"anchoring", "Nobody decided"}, {"reviewers", "Nobody decided"}} {
		if out := w.mustHitl("quality", c.command); !strings.Contains(out, c.want) {
			t.Errorf("%s before any decision: %s", c.command, out)
		}
	}
	it := w.post("blind-1", unsureText, http.StatusAccepted)
	right := other(it.AILabel)
	w.click("U0ANA", w.card(it), right)
	w.shows(it, "U0ANA", right)
	var anchors struct{ Queues []anchored }
	if err := json.Unmarshal([]byte(w.mustHitl("quality", "anchoring", "--queue", "support", "--json")), &anchors); err != nil {
		t.Fatal(err)
	}
	if q := anchors.Queues; len(q) != 1 || q[0].Queue != "support" || q[0].Blind.Decisions != 1 || q[0].Blind.Corrected != 1 || q[0].Shown.Decisions != 0 {
		t.Errorf("anchoring: %+v", anchors)
	}
	if out := w.mustHitl("quality", "anchoring"); !strings.Contains(out, "Not enough to say: it takes 10") {
		t.Errorf("anchoring: %s", out)
	}
	var people struct{ Reviewers []reviewerFigures }
	if err := json.Unmarshal([]byte(w.mustHitl("quality", "reviewers", "--json")), &people); err != nil {
		t.Fatal(err)
	}
	if r := people.Reviewers; len(r) != 1 || !strings.HasSuffix(r[0].Reviewer, "/U0ANA") || r[0].Decisions != 1 || r[0].Corrected != 1 || r[0].Accuracy != nil {
		t.Errorf("reviewers: %+v", people)
	}
}
