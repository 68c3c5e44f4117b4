package policy

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hitl"
)

var update = flag.Bool("update", false, "write golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got); -update accepts:\n%s", name, diff)
	}
}

func TestShow(t *testing.T) {
	t.Parallel()
	hostile := Spec{
		Name: "odd \x1b[31m", Queue: "default",
		AlwaysReview: []string{"A\"]; click x \"javascript:1\"", "<b>&amp;`#1"},
		Rules:        []Rule{{Name: "two-lines", When: "item.text\n\t.contains(\"%%--> subgraph\")"}, {Name: "long", When: longRule()}},
	}
	for name, spec := range map[string]Spec{"plain": {Name: "plain", Queue: "default"}, "shop": shop(), "hostile": hostile} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := mustNew(t, spec)
			var table, chart bytes.Buffer
			if err := errors.Join(p.Table(&table), p.Mermaid(&chart)); err != nil {
				t.Fatal(err)
			}
			golden(t, name+".txt", table.Bytes())
			golden(t, name+".mmd", chart.Bytes())
			golden(t, name+".json", []byte(p.Text()))
		})
	}
}

func longRule() string {
	when := `item.text.contains("0")`
	for range 20 {
		when += ` || item.text.contains("0")`
	}
	return when
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk is full") }

func TestShowReturnsWriteErrors(t *testing.T) {
	t.Parallel()
	p := mustNew(t, shop())
	if p.Table(full{}) == nil || p.Mermaid(full{}) == nil {
		t.Error("a write error is lost")
	}
}

func FuzzLabel(f *testing.F) {
	f.Add("a\"b<c>`#")
	f.Fuzz(func(t *testing.T, s string) {
		if got := label(s); bytes.ContainsAny([]byte(got), "\"<>`\n\r\x1b") {
			t.Errorf("label(%q) = %q", s, got)
		}
	})
}

func ExamplePolicy_Mermaid() {
	p, err := New(Spec{
		Name: "reviews", Queue: "default", AlwaysReview: []string{"THREAT"},
		Rules: []Rule{{Name: "refund", When: `item.text.contains("refund")`, Queue: "billing", Priority: hitl.PriorityUrgent}},
	})
	if err != nil {
		panic(err)
	}
	_ = p.Mermaid(os.Stdout)
	// Output:
	// flowchart TD
	//     item(["item"]) --> model["classifier"]
	//     any{"does any hold?"}
	//     model --> t1["model_error<br/>the model failed, or its answer is no probability"] --> any
	//     model --> t2["truncated<br/>the text is longer than the model reads"] --> any
	//     model --> t3["low_confidence<br/>confidence #60; 0.85"] --> any
	//     model --> t4["always_review<br/>label is THREAT"] --> any
	//     model --> t5["rule:refund<br/>item.text.contains(#34;refund#34;)"] --> any
	//     any -->|"yes"| first{"first rule that holds<br/>and names a queue"}
	//     first -->|"rule:refund"| queue1
	//     first -->|"none"| queue2
	//     any -->|"no"| accepted
	//     queue1[/"HUMAN_REVIEW, queue billing"/]
	//     queue2[/"HUMAN_REVIEW, queue default"/]
	//     accepted(["AI_ACCEPTED"])
}
