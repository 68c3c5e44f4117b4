package learn

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hitl"
)

func nearly(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// TestCalibrationFixtures holds fits and figures against scikit-learn and SciPy, see testdata/calibration/make.py.
func TestCalibrationFixtures(t *testing.T) {
	raw, err := os.ReadFile("testdata/calibration/fixtures.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Scores            [][]float64
		Right             []int
		Weights           []float64
		Temperature, Loss float64
		Grid, Isotonic    []float64
		Brier, Error      float64
		LogLoss           float64 `json:"log_loss"`
	}
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 30 {
		t.Fatalf("%d cases", len(cases))
	}
	for n, c := range cases {
		var answers []Answer
		for i, row := range c.Scores {
			a := Answer{Label: label(c.Right[i]), Weight: c.Weights[i]}
			for j, p := range row {
				a.Scores = append(a.Scores, hitl.Score{Label: label(j), Probability: p})
			}
			answers = append(answers, a)
		}
		name := fmt.Sprintf("case %d", n)
		got := fitTemperature(answers)
		nearly(t, name+": temperature", got, c.Temperature, 2e-5*c.Temperature) // the peer's optimum is flat to the square root of its precision
		if loss := labelLoss(answers, got); loss > c.Loss+1e-12 {
			t.Errorf("%s: log loss %v is above the peer's %v", name, loss, c.Loss)
		}
		var plain []Knot // without the rule of succession
		for _, b := range blocks(answers) {
			plain = append(plain, Knot{b.from, b.share()})
			if b.to > b.from {
				plain = append(plain, Knot{b.to, b.share()})
			}
		}
		for i, x := range c.Grid {
			nearly(t, fmt.Sprintf("%s: isotonic at %v", name, x), between(plain, x), c.Isotonic[i], 1e-9)
		}
		r := Measure(Judge(answers, nil))
		nearly(t, name+": Brier", r.Brier, c.Brier, 1e-12)
		nearly(t, name+": log loss", r.LogLoss, c.LogLoss, 1e-6) // the peer holds 1-1e-12 where it clips, which is not exact
		nearly(t, name+": calibration error", r.Error, c.Error, 1e-12)
	}
}

func label(i int) string { return string(rune('A' + i)) }

// labelLoss is the weighted log loss of the right labels at a temperature.
func labelLoss(answers []Answer, temperature float64) float64 {
	var loss, total float64
	for _, a := range answers {
		var sum, right float64
		for _, s := range a.Scores {
			e := math.Exp(math.Log(math.Max(s.Probability, least)) / temperature)
			sum += e
			if s.Label == a.Label {
				right = e
			}
		}
		loss -= a.Weight * math.Log(right/sum)
		total += a.Weight
	}
	return loss / total
}

// answersOf draws answers of a model whose confidences are those of truth at a temperature.
func answersOf(n, labels int, temperature float64, seed uint64) []Answer {
	chance := rand.New(rand.NewPCG(seed, 1))
	out := make([]Answer, n)
	for i := range out {
		logits := make([]float64, labels)
		for j := range logits {
			logits[j] = chance.NormFloat64() * 2
		}
		out[i] = Answer{Scores: scoresOf(logits, 1/temperature), Weight: 1}
		slices.SortFunc(out[i].Scores, func(a, b hitl.Score) int { return int(math.Copysign(1, b.Probability-a.Probability)) })
		u, truth := chance.Float64(), scoresOf(logits, 1)
		for _, s := range truth {
			if u -= s.Probability; u < 0 || s.Label == label(labels-1) {
				out[i].Label = s.Label
				break
			}
		}
	}
	return out
}

func scoresOf(logits []float64, sharpness float64) []hitl.Score {
	var sum float64
	out := make([]hitl.Score, len(logits))
	for j, z := range logits {
		out[j] = hitl.Score{Label: label(j), Probability: math.Exp(z * sharpness)}
		sum += out[j].Probability
	}
	for j := range out {
		out[j].Probability /= sum
	}
	return out
}

// What makes a model over- or underconfident is found again, and calibrated confidences are better on items that the fit never saw.
func TestFitMendsConfidences(t *testing.T) {
	for _, temperature := range []float64{0.3, 0.5, 2, 3} { // of the model's scores: below 1 it is overconfident
		for _, labels := range []int{2, 5} {
			fresh := answersOf(20_000, labels, temperature, 2)
			for _, o := range []FitOptions{{IsotonicFrom: 1 << 30}, {IsotonicFrom: 1}} {
				c, err := Fit(answersOf(5000, labels, temperature, 1), o)
				if err != nil {
					t.Fatal(err)
				}
				before, after := Judge(fresh, nil), Judge(fresh, c)
				b, a := Measure(before), Measure(after)
				name := fmt.Sprintf("%s of %d labels at %v", c.Kind, labels, temperature)
				if c.Kind == Temperature {
					nearly(t, name, c.Temperature, 1/temperature, 0.05/temperature)
				}
				if gain, i := Gain(before, after, 1); i.Low <= 0 || gain < i.Low || gain > i.High || math.Abs(gain-(b.Brier-a.Brier)) > 1e-12 {
					t.Errorf("%s: gain %v in %v, Brier %v and %v", name, gain, i, b.Brier, a.Brier)
				}
				if a.Error > 0.02 || a.Error > b.Error || a.LogLoss > b.LogLoss {
					t.Errorf("%s: from %+v to %+v", name, b, a)
				}
			}
		}
	}
}

// Weights undo a selection: of the answers that the model was sure of only one in ten was asked for.
func TestFitWeighs(t *testing.T) {
	var all, reviewed []Answer
	for i, a := range answersOf(40_000, 3, 0.4, 3) {
		all = append(all, a)
		if a.Scores[0].Probability < 0.85 {
			reviewed = append(reviewed, a)
		} else if i%10 == 0 {
			a.Weight = 10
			reviewed = append(reviewed, a)
		}
	}
	want, got := Measure(Judge(all, nil)), Measure(Judge(reviewed, nil))
	nearly(t, "Brier", got.Brier, want.Brier, 0.01)
	nearly(t, "calibration error", got.Error, want.Error, 0.01)
	nearly(t, "temperature", fitTemperature(reviewed), fitTemperature(all), 0.1)
	nearly(t, "effective size of equal weights", want.Sample, 40_000, 1e-6)
	if got.Sample >= float64(got.Items) {
		t.Errorf("effective size %v of %d unequal items", got.Sample, got.Items)
	}
}

func TestFitRefuses(t *testing.T) {
	good := answersOf(200, 2, 0.5, 4)
	allRight := slices.DeleteFunc(slices.Clone(good), func(a Answer) bool { return !a.right() })
	for name, c := range map[string]struct {
		answers []Answer
		want    string
	}{
		"none":      {nil, "0 answers of people are too few"},
		"49":        {good[:49], "49 answers of people are too few to calibrate with, it takes 50"},
		"all right": {allRight, "0 say that the model was wrong"},
	} {
		_, err := Fit(c.answers, FitOptions{})
		var few *TooFewError
		if !errors.As(err, &few) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// Labels that the model does not know are wrong answers, and say nothing of the temperature.
func TestFitUnknownLabels(t *testing.T) {
	known := answersOf(300, 2, 0.5, 5)
	some := slices.Clone(known)
	for range 40 {
		some = append(some, Answer{Scores: known[0].Scores, Label: "SOMETHING ELSE", Weight: 1})
	}
	nearly(t, "temperature", fitTemperature(some), fitTemperature(known), 1e-9)
	if Measure(Judge(some, nil)).Brier <= Measure(Judge(known, nil)).Brier {
		t.Error("wrong answers cost nothing")
	}
	nearly(t, "temperature of unknown labels alone", fitTemperature(some[300:]), 1, 0)
}

func drawAnswers(t *rapid.T) []Answer {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Answer {
		n := rapid.IntRange(1, 4).Draw(t, "labels")
		a := Answer{Weight: rapid.Float64Range(0.5, 100).Draw(t, "weight"), Label: label(rapid.IntRange(0, n).Draw(t, "right"))}
		logits := rapid.SliceOfN(rapid.Float64Range(-40, 40), n, n).Draw(t, "logits")
		if rapid.Bool().Draw(t, "tie") {
			logits = make([]float64, n)
		}
		a.Scores = scoresOf(logits, 1)
		slices.SortStableFunc(a.Scores, func(a, b hitl.Score) int {
			switch {
			case a.Probability > b.Probability:
				return -1
			case a.Probability < b.Probability:
				return 1
			}
			return 0
		})
		return a
	}), 1, 60).Draw(t, "answers")
}

func TestCalibrationProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		answers := drawAnswers(t)
		for _, c := range []*Calibration{
			{Kind: Temperature, Temperature: fitTemperature(answers)}, {Kind: Isotonic, Knots: knots(blocks(answers))},
		} {
			raw, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			again, err := ParseCalibration(raw)
			if err != nil {
				t.Fatalf("%s: %v", raw, err)
			}
			if again.Version() != c.Version() {
				t.Errorf("%s is another version when it was written and read", raw)
			}
			for _, a := range answers {
				p := c.Apply(a.Scores)
				if !share(p) || again.Apply(a.Scores) != p {
					t.Errorf("%s: confidence %v, and %v when it was written and read", raw, p, again.Apply(a.Scores))
				}
				if c.Kind == Temperature && p < 1/float64(len(a.Scores))-1e-9 {
					t.Errorf("the highest of %d scores has a confidence of %v", len(a.Scores), p)
				}
			}
		}
		if at1, fitted := labelLoss(known(answers), 1), labelLoss(known(answers), fitTemperature(answers)); fitted > at1+1e-9 {
			t.Errorf("log loss rises from %v to %v", at1, fitted)
		}
		// Order and scale make no difference.
		other := slices.Clone(answers)
		slices.Reverse(other)
		for i := range other {
			other[i].Weight *= 8
		}
		if a, b := fitTemperature(answers), fitTemperature(other); math.Abs(a-b) > 1e-6*a { // as where scores hardly differ, and no temperature matters
			if la, lb := labelLoss(known(answers), a), labelLoss(known(answers), b); math.Abs(la-lb) > 1e-9 {
				t.Errorf("temperature %v of loss %v, and %v of %v in another order", a, la, b, lb)
			}
		}
		a, b := knots(blocks(answers)), knots(blocks(other))
		for _, k := range a {
			if math.Abs(between(b, k.Confidence)-k.Right) > 1e-9 {
				t.Errorf("%v, and %v in another order", a, b)
			}
		}
		r := Measure(Judge(answers, nil))
		weight := 0.0
		for _, bin := range r.Bins {
			weight += bin.Weight
			if !share(bin.Right) || bin.Interval.Low > bin.Right+0.5 {
				t.Errorf("bin %+v", bin)
			}
		}
		if total := sum(answers); math.Abs(weight-total) > 1e-9*total || math.IsNaN(r.LogLoss) || r.Error < 0 || r.Error > 1 {
			t.Errorf("%+v of weight %v", r, total)
		}
	})
}

func sum(answers []Answer) (w float64) {
	for _, a := range answers {
		w += a.Weight
	}
	return w
}

// known are the answers whose label the model knows, or one that says nothing.
func known(answers []Answer) []Answer {
	out := slices.DeleteFunc(slices.Clone(answers), func(a Answer) bool {
		return !slices.ContainsFunc(a.Scores, func(s hitl.Score) bool { return s.Label == a.Label })
	})
	if len(out) == 0 {
		return []Answer{{Scores: []hitl.Score{{Label: "A", Probability: 1}}, Label: "A", Weight: 1}}
	}
	return out
}

func TestParseCalibrationRefuses(t *testing.T) {
	for _, raw := range []string{
		``, `{}`, `null`, `{"kind":"magic"}`, `{"kind":"temperature"}`, `{"kind":"temperature","temperature":0}`, `{"kind":"temperature","temperature":21}`,
		`{"kind":"temperature","temperature":-1}`, `{"kind":"temperature","temperature":1,"knots":[{"confidence":0,"right":0}]}`, `{"kind":"isotonic"}`,
		`{"kind":"isotonic","knots":[{"confidence":0.5,"right":0.5},{"confidence":0.5,"right":0.6}]}`,
		`{"kind":"isotonic","knots":[{"confidence":0.5,"right":0.5},{"confidence":0.6,"right":0.4}]}`, `{"kind":"isotonic","knots":[{"confidence":0.5,"right":1.5}]}`,
	} {
		if c, err := ParseCalibration([]byte(raw)); err == nil {
			t.Errorf("%s: %+v", raw, c)
		}
	}
}

func FuzzParseCalibration(f *testing.F) {
	f.Add(`{"kind":"temperature","temperature":1.5}`, 0.9)
	f.Add(`{"kind":"isotonic","knots":[{"confidence":0.5,"right":0.5},{"confidence":0.9,"right":0.8}]}`, 0.7)
	f.Fuzz(func(t *testing.T, raw string, p float64) {
		c, err := ParseCalibration([]byte(raw))
		if err != nil || !share(p) {
			return
		}
		if got := c.Apply([]hitl.Score{{Label: "A", Probability: max(p, 1-p)}, {Label: "B", Probability: min(p, 1-p)}}); !share(got) {
			t.Errorf("%s of %v is %v", raw, p, got)
		}
	})
}

func TestDiagram(t *testing.T) {
	out := Measure(Judge(answersOf(500, 2, 0.4, 6), nil)).Diagram()
	if lines := strings.Count(out, "\n"); lines < 4 || strings.Count(out, "┃") != lines || !strings.Contains(out, "% right (") {
		t.Error(out)
	}
}

func BenchmarkFit(b *testing.B) {
	answers := answersOf(100_000, 3, 0.5, 7)
	for name, fit := range map[string]func(){
		"isotonic":    func() { blocks(answers) },
		"temperature": func() { fitTemperature(answers) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				fit()
			}
		})
	}
}
