package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"hitl/classifier/learn"
)

// modelCard says what a trained model was made of and how good it is. It is no part of the model's version.
type modelCard struct {
	Version   string             `json:"version"`
	Base      string             `json:"base"`
	Parent    string             `json:"parent"` // version of the base
	Source    string             `json:"source"`
	From      *time.Time         `json:"from,omitempty"` // when the first and the last label were given, if that is known
	To        *time.Time         `json:"to,omitempty"`
	Seed      uint64             `json:"seed"`
	L2        float64            `json:"l2"`
	Grid      []learn.L2Score    `json:"l2_tried"`
	Labels    []learn.LabelCount `json:"labels"`
	Baseline  float64            `json:"baseline"` // accuracy of always answering the commonest label
	Validated cardScore          `json:"cross_validated"`
	HeldOut   *cardScore         `json:"held_out"` // null: no text was held out
	// Comparison is with what the present model said of the held-out items; null: that is not known.
	Comparison *learn.Comparison `json:"comparison,omitempty"`
}

type cardScore struct {
	Items    int     `json:"items"`
	Accuracy float64 `json:"accuracy"`
	Low      float64 `json:"low"` // of the accuracy's interval of 95%
	High     float64 `json:"high"`
	LogLoss  float64 `json:"log_loss"`
}

func newModelCard(t *learn.Trained, heldOut learn.Score) modelCard {
	of := func(s learn.Score) cardScore {
		return cardScore{s.Items, s.Accuracy, s.Interval.Low, s.Interval.High, s.LogLoss}
	}
	c := modelCard{L2: t.L2, Grid: t.Grid, Labels: t.Counts, Baseline: t.Baseline, Validated: of(t.Validated)}
	if heldOut.Items > 0 {
		s := of(heldOut)
		c.HeldOut = &s
	}
	return c
}

// given returns when the first and the last label were given, nil where that is not known.
func given(examples []labelledText) (from, to *time.Time) {
	for _, e := range examples {
		if e.At.IsZero() {
			continue
		}
		if from == nil || e.At.Before(*from) {
			from = &e.At
		}
		if to == nil || e.At.After(*to) {
			to = &e.At
		}
	}
	return from, to
}

func (s cardScore) String() string {
	return fmt.Sprintf("%s right (%s to %s), log loss %.3f, on %s", percent(s.Accuracy), percent(s.Low), percent(s.High), s.LogLoss, plural(s.Items, "text"))
}

func (c modelCard) heldOut() string {
	if c.HeldOut == nil {
		return "nothing was held out"
	}
	return c.HeldOut.String()
}

func (c modelCard) compared() string {
	if c.Comparison == nil {
		return "what it said of these texts is not known"
	}
	return "this one is " + c.Comparison.String()
}

func (c modelCard) print(w io.Writer) error {
	var rows [][]string
	for _, l := range c.Labels {
		note := ""
		if l.LeftOut {
			note = "left out: too few"
		}
		rows = append(rows, []string{l.Label, fmt.Sprint(l.Examples), fmt.Sprintf("%.4g", l.Weight), note})
	}
	if err := table(w, []string{"LABEL", "EXAMPLES", "WEIGHT", ""}, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, `
cross-validated  %s (L2 %.3g)
held out         %s
baseline         %s, by always answering the commonest label
present model    %s
`, c.Validated, c.L2, c.heldOut(), percent(c.Baseline), c.compared())
	return err
}

// quoted writes a path as a shell reads it, and as one of a folder.
func quoted(path string) string {
	if strings.ContainsAny(path, " '\"$`\\*?&;|<>()") {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}

// write puts the card into a model's folder, for programs and for people.
func (c modelCard) write(dir string) error {
	f, err := os.Create(filepath.Join(dir, "card.json"))
	if err != nil {
		return err
	}
	if err := printJSON(f, c); err != nil {
		_ = f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "README.md"), []byte(c.markdown()), 0o644) //nolint:gosec // a model is no secret
}

func (c modelCard) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, `---
library_name: onnx
pipeline_tag: text-classification
---

# A trained text classifier

A softmax layer on the features of another model, fitted by hitl train. card.json beside this file has every number.

| | |
|---|---|
| version | %s |
| base | %s, version %s |
| learned from | %s |
`, c.Version, cell(c.Base), c.Parent, cell(c.Source))
	if c.From != nil {
		fmt.Fprintf(&b, "| labels given | %s to %s |\n", c.From.UTC().Format(time.DateOnly), c.To.UTC().Format(time.DateOnly))
	}
	fmt.Fprintf(&b, `| cross-validated | %s |
| held out | %s |
| always the commonest label | %s right |
| L2 strength, seed | %.3g, %d |

Intervals are 95%% (Wilson, at the effective sample size where weights differ). Cross-validation chose the L2 strength and is a little too good by
that; the held-out texts were used for nothing else. Both say how good the model is on texts like these, and nothing of others.

| label | examples | weight |
|---|---|---|
`, c.Validated, c.heldOut(), percent(c.Baseline), c.L2, c.Seed)
	for _, l := range c.Labels {
		note := ""
		if l.LeftOut {
			note = " (too few: not learned)"
		}
		fmt.Fprintf(&b, "| %s%s | %d | %.4g |\n", cell(l.Label), note, l.Examples, l.Weight)
	}
	return b.String()
}

// cell makes s fit for a cell of a Markdown table.
func cell(s string) string { return strings.ReplaceAll(printable(s), "|", `\|`) }
