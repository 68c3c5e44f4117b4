package main

import (
	"context"

	"hitl"
	"hitl/audit"
	"hitl/classifier/learn"
)

// agreementSeed makes intervals the same whenever the same verdicts are looked at.
const agreementSeed = 1

// agreements says how far the panels whose reviews were decided in a period agree, queue by queue.
func agreements(ctx context.Context, store *audit.Store, q hitl.StatsQuery) ([]hitl.Agreement, error) {
	var out []hitl.Agreement
	var queue string
	var ratings []learn.Rating
	end := func() {
		if len(ratings) > 0 {
			a := learn.Agreement(ratings, agreementSeed)
			a.Queue = queue
			out = append(out, a)
		}
	}
	for v, err := range store.PanelVoices(ctx, q) {
		if err != nil {
			return nil, err
		}
		if v.Queue != queue {
			end()
			queue, ratings = v.Queue, nil
		}
		ratings = append(ratings, learn.Rating{Unit: v.Round, Rater: v.Reviewer, Label: v.Label})
	}
	end()
	return out, nil
}

// statistics are a store's, and what this service computes of what it holds.
type statistics struct{ *audit.Store }

// Stats adds to the store's figures how far panels agree.
func (s statistics) Stats(ctx context.Context, q hitl.StatsQuery) (hitl.Stats, error) {
	st, err := s.Store.Stats(ctx, q)
	if err != nil {
		return st, err
	}
	st.Panels, err = agreements(ctx, s.Store, q)
	return st, err
}
