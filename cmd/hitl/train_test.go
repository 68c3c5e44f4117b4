package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hitl/classifier"
)

// tickets are 96 customer messages of four kinds, written for tests.
const tickets = "testdata/tickets.csv"

// Four labels that the starter has never heard of are learned from a hundred texts, far better than chance; the model is what its card says, and
// a model that is made on it, of the same texts, is as good.
func TestTrain(t *testing.T) {
	t.Parallel()
	run := func(args ...string) (card modelCard) {
		t.Helper()
		var out, diagnosis bytes.Buffer
		p := program{stdin: strings.NewReader(""), stdout: &out, stderr: &diagnosis, env: func(string) (string, bool) { return "", false }}
		if err := p.run(t.Context(), append([]string{"train", "--json", "--data", tickets}, args...)); err != nil {
			t.Fatalf("%v\n%s", err, diagnosis.String())
		}
		if err := json.Unmarshal(out.Bytes(), &card); err != nil {
			t.Fatal(err)
		}
		return card
	}
	folder := filepath.Join(t.TempDir(), "models", "tickets")
	card := run("--out", folder)
	if v := card.Validated; v.Low < card.Baseline+0.2 || v.Accuracy < v.Low || v.Accuracy > v.High || card.Baseline > 0.3 {
		t.Errorf("cross-validated %+v, baseline %v", v, card.Baseline)
	}
	if card.HeldOut == nil || card.HeldOut.Accuracy < 0.4 || card.HeldOut.Items+card.Validated.Items != 96 || len(card.Labels) != 4 || card.Source != "file tickets.csv" {
		t.Errorf("%+v", card)
	}
	c, err := classifier.Open(t.Context(), classifier.Options{Model: folder})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	if diff := cmp.Diff([]string{"account", "billing", "delivery", "product"}, c.Labels()); diff != "" || c.Version() != card.Version {
		t.Errorf("version %s, on the card %s, labels %s", c.Version(), card.Version, diff)
	}
	var written modelCard
	data, err := os.ReadFile(filepath.Join(folder, "card.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &written); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(card, written); diff != "" {
		t.Errorf("(-printed +written):\n%s", diff)
	}
	readme, err := os.ReadFile(filepath.Join(folder, "README.md"))
	if err != nil || !strings.Contains(string(readme), card.Version) || !strings.Contains(string(readme), card.Parent) {
		t.Errorf("README.md lacks the versions: %v\n%s", err, readme)
	}

	child := run("--base", folder, "--out", folder+"-2")
	// Not to the last digit: features depend a little on what they share a batch with.
	if child.Parent != card.Version || child.L2 != card.L2 || math.Abs(child.HeldOut.LogLoss-card.HeldOut.LogLoss) > 1e-3 {
		t.Errorf("made again on %s: %+v; it was %+v", card.Version, child, card)
	}
	whole := run("--test", tickets, "--out", folder+"-3")
	if whole.HeldOut.Items != 96 || whole.Validated.Items != 96 {
		t.Errorf("with --test: %+v", whole)
	}
}

func TestDistinct(t *testing.T) {
	t.Parallel()
	day := func(n int) time.Time { return time.Date(2026, 11, n, 0, 0, 0, 0, time.UTC) }
	got := distinct([]labelledText{
		{"1", "a", "x", 1, day(2), nil}, {"2", "b", "x", 1, day(1), nil}, {"3", "a", "x", 4, day(3), nil}, {"4", "a", "y", 1, time.Time{}, nil},
	})
	want := []labelledText{{"1", "a", "x", 5, day(3), nil}, {"2", "b", "x", 1, day(1), nil}, {"4", "a", "y", 1, time.Time{}, nil}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	from, to := given(want)
	if !from.Equal(day(1)) || !to.Equal(day(3)) {
		t.Errorf("from %v to %v", from, to)
	}
}

// Both forms of a file say the same, with a spreadsheet's mark at the beginning or without.
func TestExampleFile(t *testing.T) {
	t.Parallel()
	want := []labelledText{{"a, \"b\"\nc", "a, \"b\"\nc", "x", 1, time.Time{}, nil}, {"d", "d", "y", 2.5, time.Time{}, nil}}
	for name, content := range map[string]string{
		"a.csv": "\xef\xbb\xbfweight,label,id,text\r\n,x ,7,\"a, \"\"b\"\"\nc\"\r\n2.5,y,8,d\r\n",
		"b.csv": "text,label,weight\n\"a, \"\"b\"\"\nc\",x,1\nd,y,2.5\n",
		"jsonl": `{"text":"a, \"b\"\nc","label":"x","other":1}` + "\n" + `{"text":"d","label":"y","weight":2.5}` + "\n",
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := exampleFile(path).examples(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for name, want := range map[string]string{
		"text,label\n,x\n": "line 2: text or label is empty", "text,label\na,\n": "line 2: text or label is empty", "text,label,weight\na,x,-1\n": "no number above 0",
		"text,label,weight\na,x,NaN\n": "no number above 0", "": "header", "text,label\na\n": "wrong number of fields", `{"text":1}`: "object 1",
	} {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := exampleFile(path).examples(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v; want %q", name, got, err, want)
		}
	}
}
