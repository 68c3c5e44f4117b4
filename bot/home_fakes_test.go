package bot

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"hitl"
)

// waits returns the open reviews of a queue by id. The caller holds the lock.
func (s *store) waits(queue string) (out []hitl.Record) {
	for id := range s.records {
		if rec, _ := s.record(id); rec.Review.Queue == queue && open(rec) {
			out = append(out, rec)
		}
	}
	slices.SortFunc(out, func(a, b hitl.Record) int { return strings.Compare(a.Review.ID, b.Review.ID) })
	return out
}

func (s *store) Worklist(ctx context.Context, q hitl.WorkQuery) (out hitl.Worklist, err error) {
	if err := s.begin(ctx, "Worklist"); err != nil {
		return out, err
	}
	defer s.mu.Unlock()
	rows := slices.DeleteFunc(s.waits(q.Queue), func(r hitl.Record) bool {
		return q.AILabel != "" && (r.Prediction.Label != q.AILabel || r.Review.Blind) || time.Since(r.Review.OpenedAt) < q.MinAge
	})
	if q.Order == hitl.NewestFirst {
		slices.Reverse(rows)
	}
	out.Total, out.Page = len(rows), min(max(q.Page, 0), max(len(rows)-1, 0)/q.Size)
	rows = rows[out.Page*q.Size:]
	out.Rows = rows[:min(len(rows), q.Size)]
	return out, nil
}

func (s *store) OpenLabels(ctx context.Context, queue string) (labels []string, err error) {
	if err := s.begin(ctx, "OpenLabels"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	for _, r := range s.waits(queue) {
		if !r.Review.Blind && !slices.Contains(labels, r.Prediction.Label) {
			labels = append(labels, r.Prediction.Label)
		}
	}
	return labels, nil
}

func (s *store) Waits(ctx context.Context, queues []string) (out []hitl.QueueWait, err error) {
	if err := s.begin(ctx, "Waits"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	for _, q := range queues {
		w := hitl.QueueWait{Queue: q, Open: len(s.waits(q))}
		if w.Open > 0 {
			w.OldestAge = time.Hour
		}
		out = append(out, w)
	}
	return out, nil
}

func (s *store) QueueState(ctx context.Context, queue string) (out hitl.QueueState, err error) {
	if err := s.begin(ctx, "QueueState"); err != nil {
		return out, err
	}
	defer s.mu.Unlock()
	out.Open = map[hitl.Priority]hitl.QueueWait{}
	for _, rec := range s.waits(queue) {
		w := out.Open[rec.Review.Priority]
		out.Open[rec.Review.Priority] = hitl.QueueWait{Queue: queue, Open: w.Open + 1, OldestAge: time.Hour}
	}
	return out, nil
}

func (s *store) Figures(ctx context.Context, queues []hitl.QueueSince) (out []hitl.QueueFigures, err error) {
	if err := s.begin(ctx, "Figures"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	for _, q := range queues {
		f := hitl.QueueFigures{QueueWait: hitl.QueueWait{Queue: q.Queue, Open: len(s.waits(q.Queue)), OldestAge: time.Hour}, Since: q.Since, Items: 10}
		for id, rec := range s.records {
			d, decided := s.decisions[fmt.Sprint(id, rec.Review.Round)]
			if rec.Review.Queue != q.Queue {
				continue
			}
			f.Reviewed++
			if decided && d.Status == hitl.HumanAccepted {
				f.Accepted++
			} else if decided {
				f.Corrected++
			}
		}
		out = append(out, f)
	}
	return out, nil
}

func (s *store) Claims(context.Context, hitl.Reviewer, int) ([]hitl.Record, error) { return nil, nil }

func (s *store) Batches(ctx context.Context, who hitl.Reviewer) (out []hitl.Batch, err error) {
	if err := s.begin(ctx, "Batches"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	for id := range s.records {
		rec, _ := s.record(id)
		d := rec.Decision
		if d == nil || d.Reviewer != who || d.Context["batch"] == "" {
			continue
		}
		i := slices.IndexFunc(out, func(b hitl.Batch) bool { return b.ID == d.Context["batch"] })
		if i < 0 {
			i = len(out)
			out = append(out, hitl.Batch{ID: d.Context["batch"], Queue: rec.Review.Queue, Label: d.Label, Until: time.Now().Add(time.Minute)})
		}
		out[i].Reviews = append(out[i].Reviews, hitl.BatchReview{ID: id, Round: d.Round})
	}
	return out, nil
}

// Reopen takes a decision back, if it is there and may be.
func (s *store) Reopen(ctx context.Context, r hitl.Reopening) error {
	if err := s.begin(ctx, "Reopen"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	rec, err := s.record(r.ReviewID)
	switch d := rec.Decision; {
	case err != nil:
		return err
	case rec.Review.Round != r.Round:
		return &hitl.UndoError{Why: hitl.UndoReopened}
	case !rec.Item.ErasedAt.IsZero():
		return &hitl.UndoError{Why: hitl.UndoErased, By: d.Reviewer}
	case d == nil:
		return &hitl.UndoError{Why: hitl.UndoOpen}
	case d.Reviewer != r.By:
		return &hitl.UndoError{Why: hitl.UndoNotYours, By: d.Reviewer, Until: rec.Review.UndoUntil}
	case rec.Review.UndoUntil.IsZero():
		return &hitl.UndoError{Why: hitl.UndoTooLate, By: d.Reviewer}
	}
	rec.Review, rec.Decision = &r.Next, nil
	s.records[r.ReviewID] = rec
	return nil
}
