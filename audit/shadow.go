package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"hitl"
)

// ShadowPrediction is what a model that is proposed says of an item that another judged.
type ShadowPrediction struct {
	ItemID     string
	Model      string // version
	Label      string // empty: it failed
	Confidence float64
	Scores     []hitl.Score // most likely first
	At         time.Time
}

// SaveShadow keeps predictions. What a model said of an item before stays.
func (s *Store) SaveShadow(ctx context.Context, list []ShadowPrediction) error {
	var items, models, labels, scores []string
	var confidences []float64
	var times []time.Time
	for _, p := range list {
		if p.Scores == nil {
			p.Scores = []hitl.Score{}
		}
		raw, err := json.Marshal(p.Scores)
		if err != nil {
			return fmt.Errorf("save shadow predictions: %w", err)
		}
		items, models, labels, scores = append(items, p.ItemID), append(models, p.Model), append(labels, p.Label), append(scores, string(raw))
		confidences, times = append(confidences, p.Confidence), append(times, p.At)
	}
	_, err := s.pool.Exec(ctx, `
		INSERT INTO hitl.shadow (item_id, model, label, confidence, scores, at)
		SELECT i, m, l, c, s::json, t FROM unnest($1::text[], $2::text[], $3::text[], $4::float8[], $5::text[], $6::timestamptz[]) AS x (i, m, l, c, s, t)
		ON CONFLICT DO NOTHING`, items, models, labels, confidences, scores, times)
	if err != nil {
		return readError("save shadow predictions", err)
	}
	return nil
}

// ShadowLabels returns what a model said in the shadow from since on, by item: its label, or "" where it failed.
func (s *Store) ShadowLabels(ctx context.Context, model string, since time.Time) (map[string]string, error) {
	rows, err := s.pool.Query(ctx, `SELECT item_id, label FROM hitl.shadow WHERE model = $1 AND at >= $2`, model, since)
	if err != nil {
		return nil, readError("query shadow predictions", err)
	}
	out := map[string]string{}
	var item, label string
	if _, err := pgx.ForEachRow(rows, []any{&item, &label}, func() error {
		out[item] = label
		return nil
	}); err != nil {
		return nil, readError("query shadow predictions", err)
	}
	return out, nil
}
