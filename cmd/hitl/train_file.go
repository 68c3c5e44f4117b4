package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"hitl/classifier/learn"
)

// labelledText is a text whose label is known.
type labelledText struct {
	ID     string // decides whether it is held out
	Text   string
	Label  string
	Weight float64
	At     time.Time // when its label was given; zero: not known
	// Incumbent is what the present model said of it; nil: not known.
	Incumbent *learn.Outcome
}

// exampleSource is where labelled texts come from.
type exampleSource interface {
	// examples returns the texts, in an order that does not change while they do not.
	examples(ctx context.Context) ([]labelledText, error)
	// String names the source, for the model's card.
	String() string
}

// exampleFile is a CSV file or JSON lines. A text is its own id.
type exampleFile string

func (f exampleFile) String() string { return "file " + filepath.Base(string(f)) }

func (f exampleFile) examples(ctx context.Context) ([]labelledText, error) {
	return f.read(ctx, true)
}

// read returns the texts. Unless all must be labelled, the label may be missing.
func (f exampleFile) read(ctx context.Context, labelled bool) ([]labelledText, error) {
	file, err := os.Open(string(f))
	if err != nil {
		return nil, usageError{err}
	}
	defer func() { _ = file.Close() }() // read only
	in := bufio.NewReader(file)
	if mark, err := in.Peek(3); err == nil && bytes.Equal(mark, []byte("\xef\xbb\xbf")) { // as spreadsheets write it
		_, _ = in.Discard(3)
	}
	read := func(in io.Reader, found func(at int, text, label, weight string) error) error {
		return readExampleCSV(in, labelled, found)
	}
	if first, err := in.Peek(1); err == nil && first[0] == '{' {
		read = readExampleLines
	}
	var out []labelledText
	err = read(in, func(at int, text, label, weight string) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		e := labelledText{ID: text, Text: text, Label: strings.TrimSpace(label), Weight: 1}
		if strings.TrimSpace(text) == "" || labelled && e.Label == "" {
			return fmt.Errorf("line %d: text or label is empty", at)
		}
		if weight != "" {
			w, err := strconv.ParseFloat(weight, 64)
			if err != nil || !(w > 0) || math.IsInf(w, 0) {
				return fmt.Errorf("line %d: weight %q is no number above 0", at, weight)
			}
			e.Weight = w
		}
		out = append(out, e)
		return nil
	})
	if err != nil {
		return nil, usageError{fmt.Errorf("read %s: %w", string(f), err)}
	}
	return out, nil
}

func readExampleCSV(in io.Reader, labelled bool, found func(at int, text, label, weight string) error) error {
	rows := csv.NewReader(in)
	header, err := rows.Read()
	if err != nil {
		return fmt.Errorf("header: %w", err)
	}
	text, label, weight := slices.Index(header, "text"), slices.Index(header, "label"), slices.Index(header, "weight")
	if text < 0 || labelled && label < 0 {
		return fmt.Errorf(`the first line names the columns %q; "text" and "label" are needed, "weight" is read too`, header)
	}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		line, _ := rows.FieldPos(0)
		cell := func(column int) string {
			if column < 0 {
				return ""
			}
			return row[column]
		}
		if err := found(line, row[text], cell(label), cell(weight)); err != nil {
			return err
		}
	}
}

func readExampleLines(in io.Reader, found func(at int, text, label, weight string) error) error {
	lines := json.NewDecoder(in)
	for at := 1; ; at++ {
		var row struct {
			Text   string      `json:"text"`
			Label  string      `json:"label"`
			Weight json.Number `json:"weight"`
		}
		err := lines.Decode(&row)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("object %d: %w", at, err)
		}
		if err := found(at, row.Text, row.Label, string(row.Weight)); err != nil {
			return err
		}
	}
}

// distinct merges examples of one text and label: their weights add up.
func distinct(examples []labelledText) []labelledText {
	type key struct{ text, label string }
	at := map[key]int{}
	var out []labelledText
	for _, e := range examples {
		k := key{e.Text, e.Label}
		i, known := at[k]
		if !known {
			at[k] = len(out)
			out = append(out, e)
			continue
		}
		out[i].Weight += e.Weight
		if e.At.After(out[i].At) {
			out[i].At = e.At
		}
	}
	return out
}
