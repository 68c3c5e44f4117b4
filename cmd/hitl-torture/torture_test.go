package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The harness itself works: a short run with the simplest fault ends by itself with a good report. The long runs are made by the command.
func TestShortRun(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the service")
	}
	t.Parallel()
	var stdout, stderr bytes.Buffer
	o := options{Seconds: 3, Seed: 1, Replicas: 1, Rate: 2, Faults: []string{"replica_kill", "cut_front"}, Keep: t.TempDir(), Settle: time.Minute}
	if err := torture(t.Context(), o, &stdout, &stderr); err != nil {
		t.Fatalf("%v\n%s\n%s", err, stderr.String(), stdout.String())
	}
	var r Report
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if r.Acknowledged == 0 || r.Clicks == 0 || r.Faults["replica_kill"]+r.Faults["cut_front"] == 0 {
		t.Errorf("nothing was tried: %s", stdout.String())
	}
}

func TestUnknownFault(t *testing.T) {
	t.Parallel()
	if _, err := newStorm(nil, options{Faults: []string{"nonsense"}}, nil); err == nil || !strings.Contains(err.Error(), "postgres_kill") {
		t.Errorf("want an error that names the kinds there are: %v", err)
	}
}

// Every kind has its own name, lasts a possible time, and its group is there for it alone or shared on purpose.
func TestFaults(t *testing.T) {
	t.Parallel()
	var kinds []string
	for _, f := range append(faults(), socketFaults()...) {
		if slices.Contains(kinds, f.kind) {
			t.Errorf("%s stands twice", f.kind)
		}
		kinds = append(kinds, f.kind)
		if f.group == "" || f.begin == nil || f.longest < f.shortest {
			t.Errorf("%s is not whole", f.kind)
		}
	}
}

func TestReportIsBad(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		r    Report
		want bool
	}{
		"good":            {Report{Acknowledged: 10}, false},
		"few duplicates":  {Report{DuplicateCards: 2, DuplicateBound: 2}, false},
		"many duplicates": {Report{DuplicateCards: 3, DuplicateBound: 2}, true},
		"lost":            {Report{Lost: 1}, true},
		"undecided":       {Report{Undecided: 1}, true},
		"twice":           {Report{DoubleDecisions: 1}, true},
		"dead card":       {Report{DeadCards: 1}, true},
		"no callback":     {Report{MissingCallbacks: 1}, true},
		"other callback":  {Report{ChangedCallbacks: 1}, true},
		"other order":     {Report{MisorderedCallbacks: 1}, true},
		"claimed":         {Report{DecidedOverClaims: 1}, true},
		"no majority":     {Report{WrongPanels: 1}, true},
		"no order":        {Report{NotLinearizable: 1}, true},
		"panic":           {Report{Panics: 1}, true},
		"forked log":      {Report{InconsistentCheckpoints: 1}, true},
		"not in the log":  {Report{NotIncluded: 1}, true},
		"verify finds":    {Report{VerifyFindings: 1}, true},
		"not alive":       {Report{LivenessFailures: 1}, true},
		"not ready":       {Report{ReadinessWrong: 1}, true},
		"no clean stop":   {Report{StopsWrong: 1}, true},
		"anything else":   {Report{Problems: []string{"x"}}, true},
	} {
		if got := c.r.bad(); got != c.want {
			t.Errorf("%s: bad is %v", name, got)
		}
	}
}

func TestQuantiles(t *testing.T) {
	t.Parallel()
	var took []time.Duration
	for i := range 100 {
		took = append(took, time.Duration(100-i)*time.Millisecond)
	}
	if diff := cmp.Diff(quantiles{N: 100, P50: 50, P99: 99}, quantilesOf(took)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(quantiles{}, quantilesOf(nil)); diff != "" {
		t.Error(diff)
	}
}

func TestCardSays(t *testing.T) {
	t.Parallel()
	s := decided(1, "POSITIVE", "T0/U0ANA")
	for text, want := range map[string]bool{
		"✓ *Accepted* `POSITIVE` by <@U0ANA>, today": true,
		"This review has another card.":              true,
		"✓ *Accepted* `POSITIVE` by <@U0BEN>, today": false,
		"✓ *Accepted* `NEGATIVE` by <@U0ANA>, today": false,
		"Review in `shop`":                           false,
	} {
		if got := (shownCard{text: text}).says(s); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestLateHistory(t *testing.T) {
	t.Parallel()
	since := time.Unix(1000, 0)
	got, err := without([]byte(`{"ok":true,"messages":[{"ts":"1001.000001"},{"ts":"999.000001"}],"has_more":false}`), since)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"has_more":false,"messages":[{"ts":"999.000001"}],"ok":true}`; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
