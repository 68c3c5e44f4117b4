package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"hitl"
	"hitl/classifier/learn"
)

// synthetic returns texts of two labels that a model has scored. It is as often right as it says when overconfident is 1; above, it exaggerates.
func synthetic(n int, overconfident float64) []*text {
	chance := rand.New(rand.NewPCG(7, 7))
	out := make([]*text, n)
	for i := range out {
		right := 0.5 + 0.5*math.Cbrt(chance.Float64())
		said := 1 / (1 + math.Exp(-overconfident*math.Log(right/max(1-right, 1e-9))))
		label, other := "HAM", "SPAM"
		if chance.IntN(2) == 0 {
			label, other = other, label
		}
		out[i] = &text{truth: label, scores: []hitl.Score{{Label: label, Probability: said}, {Label: other, Probability: 1 - said}}}
		if chance.Float64() > right {
			out[i].truth = other
		}
	}
	return out
}

func settingsForTest(t *testing.T) settings {
	t.Helper()
	s, err := options{Seeds: 1, Every: 100, Sample: 0.2, Risk: "0.05", Confidence: "0.95"}.settings()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A model that exaggerates is accepted too often by a fixed threshold, and not by a promise.
func TestPromiseIsKeptWhereFixedThresholdIsNot(t *testing.T) {
	t.Parallel()
	sc := scenario{name: "synthetic", pool: synthetic(1000, 3), length: 3000}
	r, err := sc.measure(t.Context(), settingsForTest(t), 1, 20, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	p, f := r.Promised, r.Fixed
	if p.Accepting < 8 {
		t.Errorf("something is promised in %d of 20 orders, want 8 at least", p.Accepting)
	}
	// Of twenty promises that fail with 0.05 each, more than five do with a probability of 0.0003.
	if p.Above > 5 {
		t.Errorf("true error above the risk in %d of 20 orders", p.Above)
	}
	if f.Above != 20 || f.Clearly != 20 {
		t.Errorf("the fixed threshold is above the risk in %d orders, %d clearly; want all 20", f.Above, f.Clearly)
	}
	t.Logf("promised in %d of 20 orders, above the risk in %d", p.Accepting, p.Above)
	if p.Calibration.Median > f.Calibration.Median/2 {
		t.Errorf("calibration error %v, of the model's own confidences %v; want less than half", p.Calibration, f.Calibration)
	}
}

// The figures of the fixed threshold, counted by hand.
func TestFixedThresholdIsCounted(t *testing.T) {
	t.Parallel()
	sure := func(truth string, p float64) *text {
		return &text{truth: truth, scores: []hitl.Score{{Label: "HAM", Probability: p}, {Label: "SPAM", Probability: 1 - p}}}
	}
	pool := []*text{sure("HAM", 0.99), sure("SPAM", 0.85), sure("HAM", 0.86), sure("HAM", 0.95), sure("SPAM", 0.84), sure("HAM", 0.6)}
	s := &stream{settings: settingsForTest(t), key: []byte("a key of sixteen bytes"), fixed: true, judged: pool}
	if err := s.run(t.Context(), "t", pool); err != nil {
		t.Fatal(err)
	}
	f := s.history[len(s.history)-1]
	if f.over != 4 || f.wrongOver != 1 || math.Abs(f.automation-0.8*4/6) > 1e-12 {
		t.Errorf("%d over the threshold, %d wrong, automation %v; want 4, 1, %v", f.over, f.wrongOver, f.automation, 0.8*4/6)
	}
	if e, known := f.trueError(); !known || e != 0.25 {
		t.Errorf("true error %v, %v; want 0.25", e, known)
	}
	if f.clicks+f.accepted != len(pool) || f.clicks < 2 {
		t.Errorf("%d clicks and %d accepted of %d", f.clicks, f.accepted, len(pool))
	}
}

// What a promise rests on, nothing is fitted to; and with the fixed threshold nothing is set aside.
func TestEvidenceIsNotFittedTo(t *testing.T) {
	t.Parallel()
	s := &stream{}
	evidence := 0
	for i := range 2000 {
		it := &item{id: fmt.Sprint(i)}
		if s.fits(it) {
			if learn.HeldOut(it.id) {
				t.Fatalf("item %d is held out and fits", i)
			}
			continue
		}
		evidence++
	}
	if evidence < 700 || evidence > 900 {
		t.Errorf("%d of 2000 items are evidence, want two fifths", evidence)
	}
	if s.fixed = true; !s.fits(&item{id: "1"}) {
		t.Error("with the fixed threshold an item does not fit")
	}
}

// A model that learns from nothing learns words, and the same seed learns the same.
func TestLearnsFromNoModel(t *testing.T) {
	t.Parallel()
	chance := rand.New(rand.NewPCG(3, 3))
	var pool []*text
	for i := range 1800 {
		truth := [...]string{"BILL", "BUG", "PRAISE"}[i%3]
		words := []string{truth}
		for range 6 {
			words = append(words, fmt.Sprint("word", chance.IntN(40)))
		}
		pool = append(pool, &text{truth: truth, features: hashed(words)})
	}
	sc := scenario{name: "words", pool: pool, fromZero: true, length: 1500}
	first, err := sc.measure(t.Context(), settingsForTest(t), 1, 1, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if got := first.Promised; got.Accepting != 1 || got.Automation.Median < 0.5 || got.TrueError.Median > 0.05 {
		t.Errorf("accepts %v with an error of %v; want more than half with 0.05 at most", got.Automation, got.TrueError)
	}
	again, err := sc.measure(t.Context(), settingsForTest(t), 1, 1, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := fmt.Sprint(first), fmt.Sprint(again); a != b {
		t.Errorf("the same seed gives\n%s\nand\n%s", a, b)
	}
}

func TestHeldOutSentencesAreTheStarters(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../classifier/starter/held_out.txt")
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != heldOutSum {
		t.Errorf("held_out.txt has the SHA-256 %x: put it into heldOutSum", sum)
	}
}

// What is missing is named, with the command that fetches it; the hashes are those that the command checks.
func TestMissingDataAreNamed(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	_, err := load(t.Context(), folder)
	if err == nil || !strings.Contains(err.Error(), "data/fetch.sh "+folder) {
		t.Errorf("error %v, want one that names the command", err)
	}
	script, err := os.ReadFile("data/fetch.sh")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []archive{sentencesArchive, mailArchive, newsArchive} {
		if !strings.Contains(string(script), a.name) || !strings.Contains(string(script), a.sha256) {
			t.Errorf("data/fetch.sh does not know %s with its hash", a.name)
		}
	}
	if err := os.WriteFile(folder+"/"+sentencesArchive.name, []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readSentences(folder); err == nil || !strings.Contains(err.Error(), "SHA-256") {
		t.Errorf("an altered archive: error %v", err)
	}
}

func TestChartIsWellFormed(t *testing.T) {
	t.Parallel()
	sc := scenario{name: "synthetic <&>", pool: synthetic(300, 1), length: 1500}
	res, err := sc.measure(t.Context(), settingsForTest(t), 1, 2, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	svg := chart(report{Risk: "0.05", Confidence: "0.95", Fixed: fixedThreshold, Seeds: 2, Scenarios: []Result{res}})
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"<title", "<desc", "prefers-color-scheme", "synthetic &lt;&amp;&gt;"} {
		if !strings.Contains(svg, want) {
			t.Errorf("the chart lacks %s", want)
		}
	}
	if strings.Contains(svg, "NaN") {
		t.Error("the chart has a coordinate that is no number")
	}
}
