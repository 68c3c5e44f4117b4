package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"hitl"
)

// LabelledExportQuery says which answered items to export: of a classifier, received in [Since, Until); a zero time is no bound.
type LabelledExportQuery struct {
	Classifier string // its configured name; empty: all
	Format     ExportFormat
	Since      time.Time
	Until      time.Time
	// HeldOut says of an item's id whether nothing may be fitted to the item, so that models can be compared on it.
	HeldOut func(itemID string) bool
}

// ExportedLabelled is an item that people answered, as whoever trains a model elsewhere needs it. docs/retraining.md is its contract.
type ExportedLabelled struct {
	ItemID      string             `json:"item_id" parquet:"item_id"`
	Source      string             `json:"source" parquet:"source,dict"`
	ReceivedAt  time.Time          `json:"received_at" parquet:"received_at,timestamp(microsecond:utc)"`
	Text        string             `json:"text" parquet:"text"`
	Label       string             `json:"label" parquet:"label,dict"` // what people answered
	AILabel     string             `json:"ai_label,omitempty" parquet:"ai_label,optional,dict"`
	Confidence  float64            `json:"confidence,omitempty" parquet:"confidence,optional"` // as the policy saw it
	Scores      map[string]float64 `json:"scores" parquet:"scores" parquet-key:",dict"`        // of the model, uncalibrated
	Model       string             `json:"model,omitempty" parquet:"model,optional,dict"`
	Calibration string             `json:"calibration,omitempty" parquet:"calibration,optional,dict"`
	Triggers    []string           `json:"triggers" parquet:"triggers,list" parquet-element:",dict"`
	Inclusion   float64            `json:"inclusion" parquet:"inclusion"`
	Weight      float64            `json:"weight" parquet:"weight"`
	HeldOut     bool               `json:"held_out" parquet:"held_out"`
	DecidedAt   time.Time          `json:"decided_at" parquet:"decided_at,timestamp(microsecond:utc)"`
	Queue       string             `json:"queue" parquet:"queue,dict"`
	Policy      string             `json:"policy" parquet:"policy,dict"`
}

// ExportLabelled writes what Labelled finds, oldest first, as Export does, and returns how many rows it wrote. Known answers and erased texts are not among
// them, nor items that were reviewed though their inclusion probability is zero: they have no weight. Errors: *hitl.InvalidError for an unknown format,
// hitl.ErrUnavailable when Postgres is out of reach; after any other the output is incomplete.
func (s *Store) ExportLabelled(ctx context.Context, w io.Writer, q LabelledExportQuery) (rows int, err error) {
	write, flush, err := rowWriter[ExportedLabelled](w, q.Format)
	if err != nil {
		return 0, err
	}
	err = s.Labelled(ctx, hitl.LabelledQuery{Classifier: q.Classifier, Since: q.Since, Until: q.Until, Texts: true}, func(l hitl.Labelled) error {
		if l.Text == "" || l.Inclusion <= 0 {
			return nil
		}
		if err := write(exportedLabelled(l, q.HeldOut(l.ItemID))); err != nil {
			return fmt.Errorf("write row: %w", err)
		}
		rows++
		return nil
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return rows, fmt.Errorf("export labelled items: %w", err)
	}
	return rows, nil
}

func exportedLabelled(l hitl.Labelled, heldOut bool) ExportedLabelled {
	e := ExportedLabelled{
		ItemID: l.ItemID, Source: l.Source, ReceivedAt: l.ReceivedAt, Text: l.Text, Label: l.Label, AILabel: l.AILabel, Confidence: l.Confidence,
		Scores: make(map[string]float64, len(l.Scores)), Model: l.Model, Calibration: l.Calibration, Triggers: make([]string, len(l.Triggers)),
		Inclusion: l.Inclusion, Weight: 1 / l.Inclusion, HeldOut: heldOut, DecidedAt: l.DecidedAt, Queue: l.Queue, Policy: l.Policy,
	}
	for _, s := range l.Scores {
		e.Scores[s.Label] = s.Probability
	}
	for i, t := range l.Triggers {
		e.Triggers[i] = string(t)
	}
	return e
}

func (ExportedLabelled) columns() []string {
	return []string{
		"item_id", "source", "received_at", "text", "label", "ai_label", "confidence", "scores", "model", "calibration", "triggers", "inclusion", "weight",
		"held_out", "decided_at", "queue", "policy",
	}
}

func (e ExportedLabelled) cells() ([]string, error) {
	scores, err := json.Marshal(e.Scores)
	if err != nil {
		return nil, fmt.Errorf("write scores: %w", err)
	}
	confidence := ""
	if e.Confidence != 0 {
		confidence = number(e.Confidence)
	}
	return []string{
		defuse(e.ItemID), defuse(e.Source), moment(&e.ReceivedAt), defuse(e.Text), defuse(e.Label), defuse(e.AILabel), confidence, string(scores),
		defuse(e.Model), defuse(e.Calibration), defuse(strings.Join(e.Triggers, " ")), number(e.Inclusion), number(e.Weight),
		strconv.FormatBool(e.HeldOut), moment(&e.DecidedAt), defuse(e.Queue), defuse(e.Policy),
	}, nil
}

func (e ExportedLabelled) size() int { return len(e.Text) + rowOverhead }
