package main

import (
	"context"
	"slices"
	"time"
	"unique"

	"hitl"
	"hitl/audit"
	"hitl/classifier/learn"
)

const (
	// fewestDrift is how many items each window needs.
	fewestDrift = 50
	// driftSeed makes intervals the same whenever the same items are looked at.
	driftSeed = 1
	// Below notable a change is slight, from strong on it is strong: the cut-offs that are usual for the index (N. Siddiqi, Credit Risk Scorecards,
	// Wiley 2006). Whether there is a change at all they do not tell.
	notable, strong = 0.1, 0.25
)

// window is what a classifier saw and said in a period.
type window struct {
	models      []string // versions, and those of their calibrations, in order of appearance
	labels      []string
	confidences []float64
	lengths     []float64
}

func (w *window) add(l hitl.Labelled) {
	if l.AILabel == "" {
		return
	}
	model := l.Model
	if l.Calibration != "" {
		model += "+" + l.Calibration
	}
	if !slices.Contains(w.models, model) {
		w.models = append(w.models, model)
	}
	w.labels = append(w.labels, unique.Make(l.AILabel).Value()) // a few strings, however many items
	w.confidences = append(w.confidences, l.Confidence)
	w.lengths = append(w.lengths, float64(l.Tokens))
}

func readWindow(ctx context.Context, store *audit.Store, classifier string, since, until time.Time) (window, error) {
	var w window
	err := store.Labelled(ctx, hitl.LabelledQuery{Classifier: classifier, Since: since, Until: until}, func(l hitl.Labelled) error {
		w.add(l)
		return nil
	})
	return w, err
}

// drifted is how one thing differs between two windows.
type drifted struct {
	What      string     `json:"what"`
	Reference int        `json:"reference_items"`
	Current   int        `json:"current_items"`
	Stability *stability `json:"psi"` // null: too few items, or nothing to compare
	KS        *smirnov   `json:"ks"`  // null for labels, which have no order, and where there are too few items
	Change    change     `json:"change"`
}

type stability struct {
	Value    float64 `json:"value"`
	ByChance float64 `json:"by_chance"` // 95% of unchanged windows are below
	P        float64 `json:"p"`
	Bins     int     `json:"bins"`
}

type smirnov struct {
	figure
	P     float64 `json:"p"`
	Exact bool    `json:"p_exact"`
}

// change is what figures of drift mean.
type change string

// The changes. All but the first two are beyond chance, at a false discovery rate of 5% over all that was compared.
const (
	changeTooFew  change = "too_few_items"
	changeNone    change = "none"
	changeSlight  change = "slight"
	changeNotable change = "notable"
	changeStrong  change = "strong"
)

// compareWindows says how current differs from reference in labels, confidence and length. Intervals, which take the most time, are left out unless asked for.
func compareWindows(reference, current window, intervals bool) []drifted {
	out := []drifted{}
	few := len(reference.labels) < fewestDrift || len(current.labels) < fewestDrift
	var p []float64
	add := func(what string, r, c []int, from, to []float64) {
		d := drifted{What: what, Reference: len(reference.labels), Current: len(current.labels), Change: changeTooFew}
		if !few {
			s := learn.PSI(r, c)
			d.Stability = &stability{s.Index, s.ByChance, s.P, s.Bins}
			least := s.P
			if from != nil {
				k, in := learn.KolmogorovSmirnov(from, to), learn.Interval{High: 1}
				if intervals {
					in = learn.KSInterval(from, to, driftSeed)
				}
				d.KS = &smirnov{figure{k.D, in.Low, in.High}, k.P, k.Exact}
				least = min(1, 2*min(least, k.P)) // two looks at one thing (Bonferroni)
			}
			p = append(p, least)
		}
		out = append(out, d)
	}
	r, c := learn.CountLabels(reference.labels, current.labels)
	add(hitl.DriftLabels, r, c, nil, nil)
	r, c = learn.CountValues(reference.confidences, current.confidences)
	add(hitl.DriftConfidence, r, c, reference.confidences, current.confidences)
	r, c = learn.CountValues(reference.lengths, current.lengths)
	add(hitl.DriftLength, r, c, reference.lengths, current.lengths)
	for i, q := range learn.BenjaminiHochberg(p) {
		out[i].Change = sizeOf(out[i], q)
	}
	return out
}

// size is the larger of the two measures.
func (d drifted) size() float64 {
	size := 0.0
	if d.Stability != nil {
		size = d.Stability.Value
	}
	if d.KS != nil {
		size = max(size, d.KS.Value)
	}
	return size
}

func sizeOf(d drifted, q float64) change {
	switch {
	case q > 0.05:
		return changeNone
	case d.size() < notable:
		return changeSlight
	case d.size() < strong:
		return changeNotable
	}
	return changeStrong
}
