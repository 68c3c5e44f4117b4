package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"hitl"
	"hitl/classifier"
)

type classifyCmd struct {
	Texts      []string `arg:"" optional:"" name:"text" help:"Texts to classify. Without any, lines are read from standard input."`
	Model      string   `short:"m" default:"starter" placeholder:"MODEL" help:"starter, a folder, or a Hugging Face id (default ${default})."`
	Classifier string   `placeholder:"NAME" help:"Use this classifier of the configuration instead of --model."`
	JSON       bool     `help:"Print one JSON object per text."`
}

// Help is shown by hitl classify --help.
func (classifyCmd) Help() string {
	return `Standard input has one text per line: either plain, or JSON lines (each an object with a "text", other fields are kept beside the
prediction; or a JSON string). The first line decides which.

    hitl classify "The parcel never came."
    hitl classify --json < reviews.jsonl > predictions.jsonl`
}

func (c *classifyCmd) Run(ctx context.Context, p program, global *cli) (err error) {
	logger := slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	opts := classifier.Options{Model: c.Model, Progress: p.stderr, Logger: logger}
	if c.Classifier != "" {
		cfg, err := p.load(global.Config)
		if err != nil {
			return err
		}
		if _, ok := cfg.Classifiers[c.Classifier]; !ok {
			return usageError{fmt.Errorf("classifier %q is not configured", c.Classifier)}
		}
		opts = classifierOptions(cfg, c.Classifier, logger, p.stderr)
	}
	model, err := classifier.Open(ctx, opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, model.Close()) }()
	out := bufio.NewWriter(p.stdout)
	defer func() { err = errors.Join(err, out.Flush()) }()
	w := classifyWriter{json: c.JSON, out: out, model: model}
	if len(c.Texts) > 0 {
		inputs := make([]classifyInput, len(c.Texts))
		for i, t := range c.Texts {
			if strings.TrimSpace(t) == "" {
				return usageError{fmt.Errorf("text %d is empty", i+1)}
			}
			inputs[i].text = t
		}
		if err := w.write(ctx, inputs); err != nil {
			return err
		}
		return w.verdict()
	}
	if isTerminal(p.stdin) {
		fmt.Fprintln(p.stderr, "one text per line, Ctrl-D to end:")
	}
	return w.stream(ctx, p.stdin, isTerminal(p.stdin))
}

// classifyInput is one text, with the other fields of its JSON line.
type classifyInput struct {
	text   string
	fields map[string]json.RawMessage
}

type classifyWriter struct {
	json   bool
	out    *bufio.Writer
	model  *classifier.Classifier
	failed int
}

// classifyChunk is how many lines are classified together: enough to fill batches, little enough to stream.
const classifyChunk = 256

// stream classifies line by line, in chunks unless somebody types them.
func (w *classifyWriter) stream(ctx context.Context, r io.Reader, typed bool) error {
	lines := bufio.NewReader(r)
	var chunk []classifyInput
	jsonLines, number := false, 0
	for {
		line, readErr := lines.ReadString('\n')
		if text := strings.TrimRight(line, "\r\n"); text != "" {
			number++
			if number == 1 {
				jsonLines = text[0] == '{' || text[0] == '"'
			}
			in := classifyInput{text: text}
			if jsonLines {
				var err error
				if in, err = readJSONLine(text); err != nil {
					return fmt.Errorf("line %d: %w", number, err)
				}
			}
			chunk = append(chunk, in)
		}
		if len(chunk) == classifyChunk || len(chunk) > 0 && (typed || readErr != nil) {
			if err := w.write(ctx, chunk); err != nil {
				return err
			}
			if err := w.out.Flush(); err != nil {
				return err
			}
			chunk = chunk[:0]
		}
		switch {
		case errors.Is(readErr, io.EOF):
			return w.verdict()
		case readErr != nil:
			return fmt.Errorf("read input: %w", readErr)
		}
	}
}

func readJSONLine(line string) (classifyInput, error) {
	var in classifyInput
	if line[0] == '"' {
		return in, json.Unmarshal([]byte(line), &in.text)
	}
	if err := json.Unmarshal([]byte(line), &in.fields); err != nil {
		return in, err
	}
	raw, ok := in.fields["text"]
	if !ok || bytes.Equal(raw, []byte("null")) {
		return in, errors.New(`the object has no "text"`)
	}
	if err := json.Unmarshal(raw, &in.text); err != nil {
		return in, errors.New(`"text" is no string`)
	}
	return in, nil
}

func (w *classifyWriter) write(ctx context.Context, inputs []classifyInput) error {
	texts := make([]string, len(inputs))
	for i, in := range inputs {
		texts[i] = in.text
	}
	for i, r := range w.model.ClassifyAll(ctx, texts) {
		if r.Err != nil && !errors.Is(r.Err, hitl.ErrModel) {
			return r.Err
		}
		if r.Err != nil {
			w.failed++
		}
		if err := w.one(inputs[i], r); err != nil {
			return err
		}
	}
	return nil
}

func (w *classifyWriter) one(in classifyInput, r classifier.Result) error {
	p := r.Prediction
	if !w.json {
		if r.Err != nil {
			_, err := fmt.Fprintf(w.out, "error     –  %s\t%v\n", printable(in.text), r.Err)
			return err
		}
		note := ""
		if p.Truncated {
			note = " (text was cut)"
		}
		_, err := fmt.Fprintf(w.out, "%-9s %5.1f%%  %s%s\n", p.Label, 100*p.Confidence, printable(in.text), note)
		return err
	}
	line := map[string]any{}
	for k, v := range in.fields {
		line[k] = v
	}
	line["text"] = in.text
	if r.Err != nil {
		line["error"] = r.Err.Error()
	} else {
		line["label"], line["confidence"], line["scores"] = p.Label, p.Confidence, p.Scores
		line["tokens"], line["truncated"], line["latency_ms"] = p.Tokens, p.Truncated, float64(p.Latency)/float64(time.Millisecond)
	}
	line["model"] = w.model.Version()
	return json.NewEncoder(w.out).Encode(line)
}

// verdict makes a run in which texts failed a failure, after all others were printed.
func (w *classifyWriter) verdict() error {
	if w.failed > 0 {
		return fmt.Errorf("the model failed on %d texts", w.failed)
	}
	return nil
}
