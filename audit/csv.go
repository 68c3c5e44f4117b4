package audit

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// newCSV writes the header and returns what writes a row and what ends the output.
func newCSV[T exportedRow](w io.Writer) (write func(T) error, flush func() error, err error) {
	out := csv.NewWriter(w)
	var none T
	if err := out.Write(none.columns()); err != nil {
		return nil, nil, fmt.Errorf("write header: %w", err)
	}
	write = func(row T) error {
		cells, err := row.cells()
		if err != nil {
			return err
		}
		return out.Write(cells)
	}
	flush = func() error {
		out.Flush()
		return out.Error()
	}
	return write, flush, nil
}

func (Exported) columns() []string {
	return []string{
		"item_id", "external_id", "source", "text", "status", "ai_label", "confidence", "probabilities", "label", "reviewer", "reason",
		"comment", "queue", "round", "triggers", "received_at", "opened_at", "decided_at", "model", "policy", "inclusion",
		"erased_at", "notes",
	}
}

func (e Exported) cells() ([]string, error) {
	probabilities, err := json.Marshal(e.Probabilities)
	if err != nil {
		return nil, fmt.Errorf("write probabilities: %w", err)
	}
	return []string{
		defuse(e.ItemID), defuse(e.ExternalID), defuse(e.Source), defuse(e.Text), string(e.Status), defuse(e.AILabel), number(e.Confidence),
		string(probabilities), defuse(e.Label), defuse(e.Reviewer), defuse(e.Reason), defuse(e.Comment), defuse(e.Queue),
		strconv.Itoa(e.Round), defuse(strings.Join(e.Triggers, " ")), moment(&e.ReceivedAt), moment(e.OpenedAt), moment(e.DecidedAt),
		defuse(e.Model), defuse(e.Policy), number(e.Inclusion), moment(e.ErasedAt),
		defuse(joinNotes(e.Notes)),
	}, nil
}

// joinNotes puts all notes into one cell, each on a line of its own that begins with who wrote it and when.
func joinNotes(notes []ExportedNote) string {
	lines := make([]string, len(notes))
	for i, n := range notes {
		lines[i] = n.Author + " " + moment(&n.At) + ": " + n.Text
	}
	return strings.Join(lines, "\n")
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

func moment(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

// defuse puts an apostrophe before what a spreadsheet would run as a formula: a text that begins with a tab or a carriage return, or,
// after any white space and invisible characters, with = + - @ or one of their full-width forms, which some programs take alike
// (OWASP, "CSV Injection").
func defuse(s string) string {
	const formula = "=+-@\uff1d\uff0b\uff0d\uff20"
	if strings.HasPrefix(s, "\t") || strings.HasPrefix(s, "\r") {
		return "'" + s
	}
	for _, r := range s {
		if unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			continue
		}
		if strings.ContainsRune(formula, r) {
			return "'" + s
		}
		return s
	}
	return s
}
