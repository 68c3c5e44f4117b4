package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGrow(t *testing.T) {
	t.Parallel()
	var order []string
	script := [][]float64{{100, 10, 8, 20}, {100, 5, 8, 10}, {100, 1, 2, 4}} // by size, round by round; the first warms up
	g := &growing{sizes: []int{1, 10, 1000}, steps: []step{
		{figures: []figure{{name: "posted", unit: "1/s", reach: atLeast(0.9)}}, run: func(_ context.Context, at int) ([]float64, error) {
			order = append(order, fmt.Sprint(at))
			v := script[at][0]
			script[at] = script[at][1:]
			return []float64{v}, nil
		}},
		{once: true, figures: []figure{{name: "built", unit: "s"}, {name: "size", unit: "B", reach: atMost(1.1)}}, run: func(_ context.Context, at int) ([]float64, error) {
			return []float64{float64(at), 7}, nil
		}},
	}}
	got, err := g.grow(t.Context(), 3, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if want := "0 1 2 1 2 0 2 0 1 0 1 2"; strings.Join(order, " ") != want {
		t.Errorf("order is %s, want %s", strings.Join(order, " "), want)
	}
	no, yes := false, true
	want := []Grown{
		{Name: "posted", Unit: "1/s", Reach: "≥ 0.9", Reached: &no, Sizes: []Sized{
			{Size: 1, Figure: &Spread{10, 8, 20}},
			{Size: 10, Figure: &Spread{8, 5, 10}, Ratio: &Spread{0.5, 0.5, 1}},
			{Size: 1000, Figure: &Spread{2, 1, 4}, Ratio: &Spread{0.2, 0.1, 0.25}},
		}},
		{Name: "built", Unit: "s", Sizes: []Sized{ // to nothing there is no ratio
			{Size: 1, Figure: &Spread{0, 0, 0}}, {Size: 10, Figure: &Spread{1, 1, 1}}, {Size: 1000, Figure: &Spread{2, 2, 2}},
		}},
		{Name: "size", Unit: "B", Reach: "≤ 1.1", Reached: &yes, Sizes: []Sized{
			{Size: 1, Figure: &Spread{7, 7, 7}}, {Size: 10, Figure: &Spread{7, 7, 7}, Ratio: &Spread{1, 1, 1}}, {Size: 1000, Figure: &Spread{7, 7, 7}, Ratio: &Spread{1, 1, 1}},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	r := GrowthReport{Rounds: 3, Studies: []Growth{
		{
			Name: "queues", Measure: "many queues", Counts: "queues", Figures: got, Note: "a note",
			Parts: []Parts{{Work: "cards posted", Size: 2, Each: []float64{300, 900}}, {Work: "clicks", Size: 2, Each: []float64{0, 0}}},
		},
		{Name: "log", Failed: "broken"},
	}}
	var table, asJSON bytes.Buffer
	if err := errors.Join(r.print(&table, false), r.print(&asJSON, true)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"0.20 (0.10–0.25)", "≥ 0.9  below", "≤ 1.1  reached", "1,000", "a note", "cards posted of 2 processes: 25 %, 75 % of 1,200", "clicks of 2 processes: none", "FAILED: broken"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, table.String())
		}
	}
	var back GrowthReport
	if err := json.Unmarshal(asJSON.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, back); diff != "" {
		t.Error(diff)
	}
}

func TestGrowRefusesNonsense(t *testing.T) {
	t.Parallel()
	g := &growing{sizes: []int{1}, steps: []step{{figures: []figure{{name: "posted"}}, run: func(context.Context, int) ([]float64, error) { return []float64{-1}, nil }}}}
	if _, err := g.grow(t.Context(), 1, quiet); err == nil {
		t.Error("less than nothing was posted")
	}
	if _, err := pickStudies([]string{"ingest"}); err == nil || !strings.Contains(err.Error(), "queues, replicas, log") {
		t.Errorf("a row taken for a study: %v", err)
	}
}

func TestSumOf(t *testing.T) {
	t.Parallel()
	const text = "# HELP hitl_cards_posted_total Reviews\n" +
		"hitl_cards_posted_total{outcome=\"posted\",queue=\"a\"} 3\n" +
		"hitl_cards_posted_total{outcome=\"full\",queue=\"a\"} 50\n" +
		"hitl_cards_posted_total{outcome=\"posted\",queue=\"b\"} 1e+01\n" +
		"hitl_cards_posted_total_more{outcome=\"posted\"} 7\n" +
		"hitl_up 1\n"
	for _, tt := range []struct {
		metric, label string
		want          float64
	}{
		{"hitl_cards_posted_total", `outcome="posted"`, 13}, {"hitl_cards_posted_total", "", 63}, {"hitl_up", "", 1}, {"hitl_absent", "", 0},
	} {
		if got := sumOf(text, tt.metric, tt.label); got != tt.want {
			t.Errorf("%s %s: %v, want %v", tt.metric, tt.label, got, tt.want)
		}
	}
}

func TestThousands(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 10_000_000: "10,000,000", 123_456: "123,456"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}

// This process has used some time; so does the one thread that Postgres' sessions have.
func TestProcessSeconds(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("no /proc")
	}
	sum := 0
	for all, err := processSeconds(os.Getpid()); all < 0.02; all, err = processSeconds(os.Getpid()) { // two of its steps
		if err != nil {
			t.Fatal(err)
		}
		for i := range 1_000_000 {
			sum += i
		}
	}
	if one, err := threadSeconds(uint32(os.Getpid())); err != nil || one < 0 { //nolint:gosec // process ids are small
		t.Errorf("%v seconds after %d, %v", one, sum, err)
	}
	if got := infoField("# CPU\r\nused_cpu_sys:1.25\r\nused_cpu_user:2\r\n", "used_cpu_sys"); got != 1.25 {
		t.Errorf("Redis used %v s", got)
	}
}

func TestBalancerAndLedger(t *testing.T) {
	b := &bench{say: quiet}
	defer func() {
		if err := b.endRow(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	var urls []string
	var ledgers []*ledger
	for range 2 {
		l, err := b.startLedger(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ledgers, urls = append(ledgers, l), append(urls, strings.TrimSuffix(l.url, "/callbacks"))
	}
	front, err := b.startBalancer(t.Context(), urls)
	if err != nil {
		t.Fatal(err)
	}
	c := b.newClients(front, 1)
	for i := range 4 { // the third and fourth say the same again
		if err := plainPost(t.Context(), c.http, front+"/callbacks", []byte(fmt.Sprintf(`{"data": {"id": "itm_%d"}}`, i%2))); err != nil {
			t.Fatal(err)
		}
	}
	for i, l := range ledgers {
		if l.items() != 1 || l.calls() != 2 {
			t.Errorf("server %d was told of %d items in %d calls, want 1 in 2", i, l.items(), l.calls())
		}
	}
}
