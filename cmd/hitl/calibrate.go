package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"hitl"
	"hitl/classifier/learn"
)

type calibrateCmd struct {
	Classifier   string `placeholder:"NAME" help:"The classifier; needed where there are several."`
	Since        ago    `default:"90d" placeholder:"AGO" help:"Items received from then until now: 24h, 7d (default ${default})."`
	IsotonicFrom int    `default:"1000" placeholder:"N" help:"From how many answers on an isotonic regression is fitted instead of a temperature (default ${default})."`
	Propose      bool   `xor:"then" help:"Post it to the owners of the policy's queue, who accept or decline."`
	Accept       bool   `xor:"then" help:"Put it in force at once."`
	Off          bool   `help:"Instead of fitting one, go back to the model's own confidences (with --propose or --accept)."`
	By           string `help:"Who wants it (default cli/USER, of this machine)."`
	JSON         bool   `name:"json" help:"Print JSON."`
}

// Help is shown by hitl calibrate --help.
func (calibrateCmd) Help() string {
	return `Fits what makes of the model's scores how often it is right, from what reviewers decided: a temperature, and from --isotonic-from answers on an isotonic
regression. Answers weigh by one over the probability with which their item was reviewed, so that the sure ones, of which people see a sample only, count for
all of them; without policies.*.sample nothing is known of those.

It is judged on items that the fit has not seen, in five parts, one of them never fitted to: Brier score, log loss, calibration error, before and after. Labels stay
as they are; confidences change, and what thresholds mean with them. Without --propose or --accept nothing changes.

    hitl calibrate --classifier tickets --propose`
}

// calibrateReport is what hitl calibrate --json prints.
type calibrateReport struct {
	Classifier  string                   `json:"classifier"`
	Model       string                   `json:"model"`
	Others      int                      `json:"items_of_other_models,omitempty"`
	Calibration *learn.Calibration       `json:"calibration"`
	Version     string                   `json:"version"`
	Evidence    hitl.CalibrationEvidence `json:"evidence"`
	Better      bool                     `json:"better"` // beyond chance
	Proposal    string                   `json:"proposal,omitempty"`
	Accepted    bool                     `json:"accepted,omitempty"`
}

func (c *calibrateCmd) Run(ctx context.Context, p program, global *cli) error {
	if c.Off && !c.Propose && !c.Accept {
		return usageError{errors.New("--off needs --propose or --accept")}
	}
	e, err := p.openEvidence(ctx, global, c.Classifier, c.Since)
	if err != nil {
		return err
	}
	defer e.store.Close()
	queue := e.queue()
	if c.Propose && queue == "" {
		return usageError{fmt.Errorf("no source uses classifier %q, so nobody can be asked", e.classifier)}
	}
	if c.Off {
		id, err := e.propose(ctx, hitl.ProposeCalibration, e.classifier, queue, hitl.CalibrationChange{Model: e.model, Calibration: json.RawMessage("null")},
			hitl.CalibrationEvidence{Kind: "none"}, c.Accept, operator(c.By))
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(p.stdout, told("the model's own confidences", id, c.Accept))
		return err
	}
	report, diagram, err := e.calibrate(c.IsotonicFrom)
	if err != nil {
		return err
	}
	if (c.Propose || c.Accept) && !report.Better {
		return errors.New("it is not shown to be better than what is in force: nothing was proposed. More answers may show it")
	}
	if c.Propose || c.Accept {
		report.Accepted = c.Accept
		if report.Proposal, err = e.proposeCalibration(ctx, report, c.Accept, operator(c.By)); err != nil {
			return err
		}
	}
	if c.JSON {
		return printJSON(p.stdout, report)
	}
	return printCalibration(p.stdout, report, diagram)
}

// proposeCalibration makes a proposal of a calibration.
func (e *evidence) proposeCalibration(ctx context.Context, r calibrateReport, accept bool, by string) (string, error) {
	body, err := json.Marshal(r.Calibration)
	if err != nil {
		return "", fmt.Errorf("write calibration: %w", err)
	}
	return e.propose(ctx, hitl.ProposeCalibration, e.classifier, e.queue(), hitl.CalibrationChange{Model: e.model, Calibration: body}, r.Evidence, accept, by)
}

// defaultWindow is how far back a calibration looks.
const defaultWindow = 90 * 24 * time.Hour

// queue is whose owners are asked about a classifier: that of the first policy that judges what it says.
func (e *evidence) queue() string {
	if names := e.policies(); len(names) > 0 {
		return e.cfg.Policies[names[0]].Queue
	}
	return ""
}

// calibrate fits a calibration of the model to what is not held out; of a cascade that is the large one, on what the small one left to it. It is judged on every answer, by a fit that has not seen it: those that are held out by the calibration
// itself, and each other fold by a fit to the rest.
func (e *evidence) calibrate(isotonicFrom int) (calibrateReport, string, error) {
	report := calibrateReport{Classifier: e.classifier, Model: e.model, Others: e.others}
	folds := make([][]learn.Answer, learn.Folds)
	for _, l := range e.items {
		if l.Answered() && l.AILabel != "" && l.Inclusion > 0 && !l.Small() {
			f := learn.Fold(l.ItemID)
			folds[f] = append(folds[f], learn.Answer{Scores: l.Scores, Label: l.Label, Weight: 1 / l.Inclusion})
		}
	}
	var before, after []learn.Judged
	answers := 0
	for i, fold := range folds {
		rest := slices.Concat(slices.Concat(folds[1:max(i, 1)]...), slices.Concat(folds[i+1:]...))
		c, err := learn.Fit(rest, learn.FitOptions{IsotonicFrom: isotonicFrom})
		if i == 0 {
			if err != nil {
				return report, "", err
			}
			report.Calibration, answers = c, len(rest)
		}
		if err == nil { // else the rest is too little to fit to, and the fold goes unjudged
			before, after = append(before, learn.Judge(fold, e.calibration)...), append(after, learn.Judge(fold, c)...)
		}
	}
	report.Version = report.Calibration.Version()
	was, is := learn.Measure(before), learn.Measure(after)
	gain, interval := learn.Gain(before, after, 1)
	report.Better = interval.Low > 0
	report.Evidence = hitl.CalibrationEvidence{
		Kind: report.Calibration.Kind, Items: answers, Held: len(after), Before: scoreOf(was), After: scoreOf(is), Gain: gain, GainLow: interval.Low, GainTop: interval.High,
	}
	for _, b := range is.Bins {
		report.Evidence.Diagram = append(report.Evidence.Diagram, hitl.ReliabilityBin{Items: b.Items, Confidence: b.Confidence, Right: b.Right})
	}
	return report, "now:\n" + was.Diagram() + "\nthen:\n" + is.Diagram(), nil
}

func scoreOf(r learn.Reliability) hitl.CalibrationScore {
	return hitl.CalibrationScore{Brier: r.Brier, LogLoss: r.LogLoss, Error: r.Error}
}

func printCalibration(w io.Writer, r calibrateReport, diagram string) error {
	fitted := fmt.Sprintf("isotonic regression with %s", plural(len(r.Calibration.Knots), "knot"))
	if r.Calibration.Kind == learn.Temperature {
		fitted = fmt.Sprintf("temperature %.3f", r.Calibration.Temperature)
	}
	e := r.Evidence
	fmt.Fprintf(w, "%s, fitted to %s of people; judged on %d, each by a fit that has not seen it\n\n", fitted, plural(e.Items, "answer"), e.Held)
	row := func(name string, f func(hitl.CalibrationScore) float64) []string {
		return []string{name, fmt.Sprintf("%.4f", f(e.Before)), fmt.Sprintf("%.4f", f(e.After))}
	}
	if err := table(w, []string{"", "NOW", "THEN"}, [][]string{
		row("Brier score", func(s hitl.CalibrationScore) float64 { return s.Brier }),
		row("log loss", func(s hitl.CalibrationScore) float64 { return s.LogLoss }),
		row("calibration error", func(s hitl.CalibrationScore) float64 { return s.Error }),
	}); err != nil {
		return err
	}
	meaning := "That may be chance."
	if r.Better {
		meaning = "That is more than chance."
	}
	fmt.Fprintf(w, "\nThe Brier score falls by %.4f (95%%: %.4f to %.4f). %s\n\nHow often the model is right (bar) where it is so sure (┃),\n%s", e.Gain, e.GainLow, e.GainTop, meaning, diagram)
	if r.Others > 0 {
		fmt.Fprintf(w, "\n%s of other models were left out.\n", plural(r.Others, "item"))
	}
	if r.Proposal != "" {
		_, err := fmt.Fprintln(w, "\n"+told("this calibration", r.Proposal, r.Accepted))
		return err
	}
	_, err := fmt.Fprintln(w, "\nNothing was changed; --propose asks the owners, --accept puts it in force.")
	return err
}

// told says what became of a proposal that a command made.
func told(what, id string, accepted bool) string {
	if accepted {
		return fmt.Sprintf("%s: accepted as %s, in force in every replica within seconds", what, id)
	}
	return fmt.Sprintf("%s: proposed as %s; the owners of the queue are asked in Slack, or `hitl proposals accept %s`", what, id, id)
}
