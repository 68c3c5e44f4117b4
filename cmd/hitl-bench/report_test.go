package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestRow(t *testing.T) {
	t.Parallel()
	closed := 0
	opened := func(ours, peer float64) func(context.Context, *bench) (*pair, error) {
		return func(_ context.Context, b *bench) (*pair, error) {
			b.onRowEnd(func(context.Context) error { closed++; return nil })
			var order []string
			return &pair{
				unit: "x/s", ours: script("ours", &order, ours, ours), peer: script("peer", &order, peer, peer),
				note: func() string { return "a note" },
			}, nil
		}
	}
	b := &bench{say: quiet}
	good := row{name: "good", reach: atLeast(2), open: opened(10, 4)}.run(t.Context(), b, 1)
	if good.Ratio == nil || good.Ratio.Median != 2.5 || good.Reached == nil || !*good.Reached || good.Note != "a note" || good.Unit != "x/s" {
		t.Errorf("good: %+v", good)
	}
	below := row{name: "below", reach: atLeast(3), open: opened(10, 4)}.run(t.Context(), b, 1)
	if below.Reached == nil || *below.Reached || below.Failed != "" {
		t.Errorf("below: %+v", below)
	}
	if closed != 2 {
		t.Errorf("closed %d pairs, want 2", closed)
	}

	stopped := false
	lacks := row{name: "lacks", open: func(_ context.Context, b *bench) (*pair, error) {
		b.onRowEnd(func(context.Context) error { stopped = true; return nil })
		return nil, fmt.Errorf("open: %w", missing("install it"))
	}}.run(t.Context(), b, 1)
	if lacks.NotRun != "install it" || lacks.Failed != "" || lacks.Ours != nil || lacks.Ratio != nil || lacks.Reached != nil {
		t.Errorf("a row that cannot run has figures, or no reason: %+v", lacks)
	}
	if !stopped {
		t.Error("what the row had started goes on")
	}
	failed := row{name: "failed", open: func(context.Context, *bench) (*pair, error) { return nil, errors.New("broken") }}.run(t.Context(), b, 1)
	if failed.Failed != "broken" || failed.NotRun != "" || failed.Ours != nil {
		t.Errorf("failed: %+v", failed)
	}

	var table bytes.Buffer
	r := Report{Quick: true, Runs: 1, Rows: []Result{good, below, lacks, failed}, Versions: map[string]string{"Go": "1.2", "hitl": "x"}}
	if err := r.print(&table, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"2.50 (2.50–2.50)", "≥ 3", "below", "Not run: install it", "FAILED: broken", "QUICK", "Go 1.2, hitl x", "a note"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, &table)
		}
	}
}

func TestRows(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range rows() {
		if r.name == "" || seen[r.name] || r.measure == "" || r.open == nil || r.reach.bound <= 0 || (r.against == "") != (r.reach.unit != "") {
			t.Errorf("row %q is not whole, or is there twice", r.name)
		}
		seen[r.name] = true
	}
	if _, err := pick(rows(), []string{"nonsense"}); err == nil || !strings.Contains(err.Error(), "ingest, ") {
		t.Errorf("want an error that names the rows there are: %v", err)
	}
	picked, err := pick(rows(), []string{"verify", "ingest"})
	if err != nil || len(picked) != 2 || picked[0].name != "ingest" {
		t.Errorf("picked %v, %v", picked, err)
	}
}

func TestRuns(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		o    options
		want int // 0: refused
	}{
		{options{}, 5},
		{options{Quick: true}, 2},
		{options{Runs: 9}, 9},
		{options{Runs: 4}, 0},
		{options{Runs: 1, Quick: true}, 1},
		{options{Runs: -1}, 0},
	} {
		got, err := tt.o.runs()
		if (err == nil) != (tt.want > 0) || err == nil && got != tt.want {
			t.Errorf("%+v: %d, %v", tt.o, got, err)
		}
	}
}

// A cheap row runs from end to end; the others are run by the command.
func TestQuick(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	if err := run(t.Context(), options{Quick: true, Only: []string{"verify"}, JSON: true}, &stdout, &stderr); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	var r Report
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Rows) != 1 || r.Runs != quickRuns || !r.Quick || r.Machine.Cores == 0 || r.Versions["Go"] == "" {
		t.Fatalf("report %s", stdout.String())
	}
	if v := r.Rows[0]; v.Ratio == nil || v.Ratio.Min <= 0 || v.Ratio.Min > v.Ratio.Median || v.Ratio.Median > v.Ratio.Max || v.Ours.Median <= 0 || v.Reached == nil {
		t.Errorf("row %+v", v)
	}
	if !strings.Contains(stderr.String(), "run 2 of 2") {
		t.Errorf("no progress on standard error: %s", stderr.String())
	}
}

// Without its models a row says what to do, and nothing else.
func TestMissingModels(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	o := options{Quick: true, Only: []string{"hugot", "tokenizer", "int8"}, JSON: true, Cache: t.TempDir()}
	if err := run(t.Context(), o, &stdout, &stderr); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	var r Report
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	for _, row := range r.Rows {
		if !strings.Contains(row.NotRun, "cmd/hitl-bench/fetch.sh") || row.Ours != nil || row.Ratio != nil {
			t.Errorf("row %+v", row)
		}
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	if err := run(t.Context(), options{List: true}, &stdout, &stderr); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows() {
		if !strings.Contains(stdout.String(), "\n"+r.name) {
			t.Errorf("the list lacks %s:\n%s", r.name, stdout.String())
		}
	}
}
