package main

import (
	"encoding/json"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus"
)

type alertRule struct {
	Record      string            `yaml:"record"`
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func readRules(t *testing.T) (rules []alertRule) {
	t.Helper()
	data, err := os.ReadFile("../../deploy/prometheus/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Rules []alertRule `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		rules = append(rules, g.Rules...)
	}
	return rules
}

var (
	descLine = regexp.MustCompile(`fqName: "(\w+)".*variableLabels: \{([^}]*)\}`)
	// Names of ours need no parser: they all begin alike. That expressions parse is promtool's to say.
	metricUse = regexp.MustCompile(`((?:[a-z]+:)?hitl_[a-z0-9_]+(?::[a-z0-9]+)?)(?:\{([^}]*)\})?`)
	labelUse  = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)\s*"`)
	histogram = regexp.MustCompile(`_(bucket|sum|count)$`)
)

// exposed are the metrics of the service with their labels.
func exposed() map[string][]string {
	r := newMetrics().registry
	r.MustRegister(newDriftGauges(nil))
	out := map[string][]string{}
	ch := make(chan *prometheus.Desc)
	go func() {
		r.Describe(ch)
		newGauges(&service{}).Describe(ch)
		close(ch)
	}()
	for d := range ch {
		if m := descLine.FindStringSubmatch(d.String()); m != nil {
			out[m[1]] = strings.Split(m[2], ",")
		}
	}
	return out
}

func checkExpr(t *testing.T, where, expr string, known map[string][]string) {
	t.Helper()
	for _, use := range metricUse.FindAllStringSubmatch(expr, -1) {
		labels, ok := known[use[1]]
		if !ok {
			labels, ok = known[histogram.ReplaceAllString(use[1], "")]
		}
		if !ok {
			t.Errorf("%s: nothing is called %s", where, use[1])
			continue
		}
		for _, l := range labelUse.FindAllStringSubmatch(use[2], -1) {
			if !slices.Contains(append([]string{"job"}, labels...), l[1]) {
				t.Errorf("%s: %s has no label %s, it has %v", where, use[1], l[1], labels)
			}
		}
	}
}

// Alerts and panels ask for what the service tells, and each alert has its section in the runbook.
func TestAlertsAndDashboard(t *testing.T) {
	t.Parallel()
	known, rules := exposed(), readRules(t)
	for _, r := range rules {
		if r.Record != "" {
			known[r.Record] = []string{"source", "queue"}
		}
	}
	runbook, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^### (\w+)\n\n\*\*(\w+)\.\*\*`).FindAllStringSubmatch(string(runbook), -1) {
		sections[m[1]] = strings.ToLower(m[2])
	}
	for _, r := range rules {
		checkExpr(t, r.Record+r.Alert, r.Expr, known)
		if r.Alert == "" {
			continue
		}
		if got := sections[r.Alert]; got != r.Labels["severity"] {
			t.Errorf("the runbook says %q of %s, which is %s", got, r.Alert, r.Labels["severity"])
		}
		delete(sections, r.Alert)
		if want := "docs/runbook.md#" + strings.ToLower(r.Alert); r.Annotations["runbook_url"] != want || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s: annotations %v", r.Alert, r.Annotations)
		}
	}
	if len(sections) > 0 {
		t.Errorf("sections of no alert: %v", sections)
	}
	checkPanels(t, known)
}

func checkPanels(t *testing.T, known map[string][]string) {
	t.Helper()
	data, err := os.ReadFile("../../deploy/grafana/hitl.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			ID          int
			Type        string
			Title       string
			Description string
			GridPos     struct{ X, Y, W, H int }
			Targets     []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(data, &dashboard); err != nil {
		t.Fatal(err)
	}
	ids, cells := map[int]bool{}, map[[2]int]string{}
	for _, p := range dashboard.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the id %d", p.ID)
		}
		ids[p.ID] = true
		if p.Type != "row" && (p.Description == "" || len(p.Targets) == 0) {
			t.Errorf("%s: no description or no expression", p.Title)
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, taken := cells[[2]int{x, y}]; taken || x >= 24 {
					t.Fatalf("%q stands on %q or outside", p.Title, other)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
		for _, target := range p.Targets {
			checkExpr(t, p.Title, target.Expr, known)
		}
	}
	if len(ids) == 0 {
		t.Error("no panels")
	}
}

// Every command that the runbook names is one, with these flags.
func TestRunbookCommands(t *testing.T) {
	t.Parallel()
	runbook, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := regexp.MustCompile("`hitl ([^`]+)`").FindAllStringSubmatch(string(runbook), -1)
	if len(commands) < 20 {
		t.Fatalf("%d commands", len(commands))
	}
	for _, c := range commands {
		var words []string
		for _, w := range regexp.MustCompile(`"[^"]*"|\S+`).FindAllString(c[1], -1) {
			words = append(words, strings.Trim(w, `"`))
		}
		if words[len(words)-1] == "--help" {
			words = words[:len(words)-1]
			if words[0] == "log" && words[1] == "key" {
				words = append(words, "ORIGIN")
			}
		}
		parser, err := program{stdout: io.Discard, stderr: io.Discard}.parser(&cli{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse(words); err != nil {
			t.Errorf("hitl %s: %v", c[1], err)
		}
	}
}
