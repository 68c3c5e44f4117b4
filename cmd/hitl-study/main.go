// Command hitl-study measures, on public labelled texts, what the reviewers' clicks bring and what it costs.
//
//	cmd/hitl-study/data/fetch.sh
//	go run ./cmd/hitl-study --svg docs/study.svg
//
// Texts come in a random order and go through the real policy. The known labels act as reviewers who never err. After every hundred clicks a calibration is
// fitted anew (learn.Fit) and a threshold advised anew (learn.Advise); the latest advice that could be made is in force, and before the first everything is
// reviewed. Beside it runs the same with the fixed threshold of 0.85 on the model's own confidence. Both review the same random share of sure items.
//
// There are two starts: the starter model, on sentences that it was not trained on, and no model at all, where one (learn.FitHead on hashed words) is
// fitted to what people answered whenever there is half as much again.
//
// What a promise rests on was never fitted to: two fifths of the items, by a hash of their ids, are evidence, the others fit. True error and calibration error
// are taken on texts that are in no stream (from no model), or on the 600 sentences that the stream is drawn from with replacement (starter model).
//
// Where to begin: stream.go is the loop, learner.go who learns, sets.go the data, summary.go what is made of several seeds.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"hitl/classifier/learn"
)

// options are the command line.
type options struct {
	Data       string  `default:".cache/study" placeholder:"FOLDER" help:"Where data/fetch.sh has put the data (default ${default})."`
	Seeds      int     `default:"5" placeholder:"N" help:"How many orders of each stream (default ${default})."`
	Seed       uint64  `default:"1" placeholder:"N" help:"The first of them (default ${default})."`
	Every      int     `default:"100" placeholder:"N" help:"Clicks between two advices (default ${default})."`
	Risk       string  `default:"0.05" placeholder:"SHARE" help:"The error rate among accepted items that is promised (default ${default})."`
	Confidence string  `default:"0.95" placeholder:"SHARE" help:"With which it is (default ${default})."`
	Sample     float64 `default:"0.2" placeholder:"SHARE" help:"Of sure items, reviewed too (default ${default})."`
	SVG        string  `name:"svg" placeholder:"FILE" help:"Draw the charts into this file."`
	JSON       bool    `name:"json" help:"Print JSON."`
}

func main() {
	var o options
	kong.Parse(&o, kong.Name("hitl-study"), kong.UsageOnError(),
		kong.Description("Measures on public labelled texts how automation, errors and calibration go as people click, and whether promises are kept."))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "hitl-study: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options, stdout, progress io.Writer) error {
	s, err := o.settings()
	if err != nil {
		return err
	}
	scenarios, err := load(ctx, o.Data)
	if err != nil {
		return err
	}
	r := report{Risk: o.Risk, Confidence: o.Confidence, Sample: o.Sample, Every: o.Every, Seeds: o.Seeds, Fixed: fixedThreshold}
	for _, sc := range scenarios {
		result, err := sc.measure(ctx, s, o.Seed, o.Seeds, progress)
		if err != nil {
			return fmt.Errorf("%s: %w", sc.name, err)
		}
		r.Scenarios = append(r.Scenarios, result)
	}
	if o.SVG != "" {
		if err := os.WriteFile(o.SVG, []byte(chart(r)), 0o644); err != nil { //nolint:gosec // for everybody to read
			return fmt.Errorf("write charts: %w", err)
		}
	}
	if o.JSON {
		return r.printJSON(stdout)
	}
	return r.print(stdout)
}

func (o options) settings() (settings, error) {
	s := settings{every: o.Every, sample: o.Sample}
	var err error
	if s.risk, err = learn.ParseShare(o.Risk); err != nil {
		return s, fmt.Errorf("--risk: %w", err)
	}
	if s.confidence, err = learn.ParseShare(o.Confidence); err != nil {
		return s, fmt.Errorf("--confidence: %w", err)
	}
	if o.Seeds < 1 || o.Every < 1 || !(o.Sample > 0 && o.Sample < 1) {
		return s, errors.New("--seeds and --every are 1 or more, --sample is above 0 and below 1")
	}
	return s, nil
}
