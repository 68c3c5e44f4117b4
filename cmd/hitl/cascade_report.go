package main

import (
	"fmt"
	"io"

	"hitl"
	"hitl/classifier/learn"
)

// cascadeReport is what hitl cascade --json prints.
type cascadeReport struct {
	Classifier string       `json:"classifier"`
	Small      cascadeModel `json:"small"`
	Large      cascadeModel `json:"large"`
	Risk       string       `json:"risk"`
	Confidence string       `json:"confidence"`
	Items      int          `json:"items"`
	Found      bool         `json:"found"`
	Threshold  float64      `json:"threshold,omitempty"` // absent: nothing can be promised
	Kept       float64      `json:"kept"`                // share of all texts that the small model would answer
	Tested     int          `json:"tested"`              // of those it would answer; some of all are kept aside, to decide where the tests begin
	Differ     int          `json:"differ"`              // of these: the large model says something else
	Upper      float64      `json:"upper,omitempty"`     // bound of their share, with the confidence
	More       int          `json:"more,omitempty"`      // texts that lack for a promise, about; 0 without one: no number would do
	PerSecond  float64      `json:"texts_per_second"`    // of the cascade, as the two speeds come to
	SpeedUp    float64      `json:"speed_up"`            // against the large model alone; 1: nothing is promised
	// Answered compares the two on the texts that the small model would answer and people did; null: there are none. The small model is the candidate.
	Answered *hitl.ModelComparison `json:"answered"`
	Curve    []cascadePoint        `json:"curve"`
}

// cascadeModel is a model of the two, and how fast it classified.
type cascadeModel struct {
	Model     string  `json:"model"`
	Version   string  `json:"version"`
	Engine    string  `json:"engine"`
	PerSecond float64 `json:"texts_per_second"`
	Failed    int     `json:"failed"`
}

// cascadePoint is what one threshold brings.
type cascadePoint struct {
	Threshold float64 `json:"threshold"`
	Kept      float64 `json:"kept"`
	Tested    int     `json:"tested"`
	Differ    int     `json:"differ"`
	Low       float64 `json:"differ_low"` // interval of 95% of their share
	High      float64 `json:"differ_high"`
}

// conclude finds the threshold, and what it comes to.
func (r *cascadeReport) conclude(texts []cascadeText, o learn.CascadeOptions) {
	said := make([]learn.Said, len(texts))
	for i, t := range texts {
		said[i] = learn.Said{ItemID: t.ID, Score: t.small.Confidence, Failed: t.small.Label == "", Same: t.small.Label == t.large.Label}
	}
	a := learn.AdviseCascade(said, o)
	r.Items, r.Found, r.Kept, r.Tested, r.Differ, r.More, r.SpeedUp = a.Items, a.Found, a.Kept, a.Sampled, a.Wrong, a.More, 1
	r.PerSecond = r.Large.PerSecond
	if a.Found {
		r.Threshold, r.Upper = a.Threshold, a.Upper
		r.PerSecond = 1 / (1/r.Small.PerSecond + (1-r.Kept)/r.Large.PerSecond)
		r.SpeedUp = r.PerSecond / r.Large.PerSecond
	}
	r.Curve = []cascadePoint{}
	for i, p := range a.Curve {
		seen := p.Sampled > 0 && (i == 0 || p.Sampled > a.Curve[i-1].Sampled)
		if seen && (i%8 == 0 || p.Threshold == r.Threshold) {
			r.Curve = append(r.Curve, cascadePoint{p.Threshold, 1 - p.Load, p.Sampled, p.Wrong, p.Errors.Low, p.Errors.High})
		}
	}
	var small, large []learn.Outcome
	for _, t := range texts {
		if t.Label != "" && a.Found && t.small.Label != "" && t.small.Confidence >= a.Threshold {
			small = append(small, learn.Outcome{Correct: t.small.Label == t.Label, Weight: t.Weight})
			large = append(large, learn.Outcome{Correct: t.large.Label == t.Label, Weight: t.Weight})
		}
	}
	if len(small) > 0 {
		r.Answered = comparisonOf(learn.Compare(small, large, 1))
	}
}

func (r cascadeReport) print(w io.Writer) error {
	fmt.Fprintf(w, "classifier %s: %s before %s, on %s\n", r.Classifier, printable(r.Small.Model), printable(r.Large.Model), plural(r.Items, "text"))
	fmt.Fprintf(w, "promise: of what the small model answers, the large one would say something else of %s at most, with %s confidence\n\n", r.Risk, r.Confidence)
	rows := [][]string{}
	for _, m := range []struct {
		what string
		cascadeModel
	}{{"small", r.Small}, {"large", r.Large}} {
		rows = append(rows, []string{m.what, short(m.Version), m.Engine, perSecond(m.PerSecond), fmt.Sprint(m.Failed)})
	}
	if err := table(w, []string{"MODEL", "VERSION", "ENGINE", "TEXTS/S", "FAILED"}, rows); err != nil {
		return err
	}
	if len(r.Curve) > 0 {
		fmt.Fprintln(w)
		rows = nil
		for _, p := range r.Curve {
			rows = append(rows, []string{threshold(p.Threshold), percent(p.Kept), fmt.Sprintf("%d of %d", p.Differ, p.Tested), fmt.Sprintf("%.2f%%–%.2f%%", 100*p.Low, 100*p.High)})
		}
		if err := table(w, []string{"THRESHOLD", "SMALL ANSWERS", "DIFFER", "95% INTERVAL"}, rows); err != nil {
			return err
		}
	}
	fmt.Fprintln(w)
	if !r.Found {
		_, err := fmt.Fprintln(w, r.lacks())
		return err
	}
	fmt.Fprintf(w, "From %s on the small model answers %s of the texts; %d of %d that were tested differ, so that it is %.2f%% at most.\n",
		threshold(r.Threshold), percent(r.Kept), r.Differ, r.Tested, 100*r.Upper)
	fmt.Fprintf(w, "The cascade does %s texts/s, %.1f times what the large model does alone.\n", perSecond(r.PerSecond), r.SpeedUp)
	if r.SpeedUp < 1 {
		fmt.Fprintln(w, "That is slower: the small model keeps too few texts for what it takes.")
	}
	if c := r.Answered; c != nil {
		fmt.Fprintf(w, "As people answered %s of these: the small model is right on %s, the large one on %s; difference %s.\n", plural(c.Items, "text"), percent(c.Candidate), percent(c.Incumbent), inWords(*c))
	}
	_, err := fmt.Fprintf(w, "\nUnder classifiers.%s:\n\n    cascade:\n      model: %s\n      threshold: %s\n", r.Classifier, printable(r.Small.Model), threshold(r.Threshold))
	return err
}

// lacks says why nothing is promised.
func (r cascadeReport) lacks() string {
	if r.More == 0 {
		return "Nothing can be promised: at every threshold the small model differs too often, and no number of texts would change that. Take another small model, or a higher risk."
	}
	return fmt.Sprintf("The texts do not suffice for this promise: it takes about %d more, if the models go on to differ as often.", r.More)
}
