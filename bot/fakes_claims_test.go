package bot

import (
	"context"
	"slices"
	"time"

	"hitl"
)

// held says who else has a review.
func (s *store) held(id string, who hitl.Reviewer) error {
	r := s.records[id].Review
	if r != nil && r.Claimed(time.Now()) && r.ClaimedBy != who {
		return &hitl.ClaimedError{By: r.ClaimedBy, Until: r.ClaimedUntil}
	}
	return nil
}

// openRound keeps the promises of hitl.Claims about reviews that have moved on.
func (s *store) openRound(id string, round int) error {
	rec, err := s.record(id)
	switch {
	case err != nil:
		return err
	case rec.Decision != nil:
		return &hitl.AlreadyDecidedError{Decision: *rec.Decision}
	case round != rec.Review.Round:
		return &hitl.InvalidError{Field: "round", Reason: "is not the open one"}
	}
	return nil
}

func (s *store) setClaim(id string, by hitl.Reviewer, until time.Time) {
	rec := s.records[id]
	review := *rec.Review
	review.ClaimedBy, review.ClaimedUntil = by, until
	rec.Review = &review
	s.records[id] = rec
}

func (s *store) Claim(ctx context.Context, c hitl.Claim) error {
	if err := s.begin(ctx, "Claim"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if err := s.openRound(c.ReviewID, c.Round); err != nil {
		return err
	}
	who := c.By
	if c.Giver.User != "" {
		who = c.Giver
	}
	if err := s.held(c.ReviewID, who); err != nil && !c.Over {
		return err
	}
	if c.Giver.User != "" && !c.Over && !s.records[c.ReviewID].Review.Claimed(time.Now()) {
		return hitl.ErrNotClaimed
	}
	if c.Giver.User != "" {
		s.assigned = append(s.assigned, c)
	}
	s.setClaim(c.ReviewID, c.By, time.Now().Add(c.For))
	return nil
}

func (s *store) Release(ctx context.Context, id string, round int, who hitl.Reviewer) error {
	if err := s.begin(ctx, "Release"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if err := s.openRound(id, round); err != nil {
		return err
	}
	if err := s.held(id, who); err != nil {
		return err
	}
	s.setClaim(id, hitl.Reviewer{}, time.Time{})
	return nil
}

func (s *store) Next(ctx context.Context, who hitl.Reviewer, offers []hitl.Offer) (string, error) {
	if err := s.begin(ctx, "Next"); err != nil {
		return "", err
	}
	defer s.mu.Unlock()
	var ids []string
	for id := range s.records {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		review := s.records[id].Review
		i := slices.IndexFunc(offers, func(o hitl.Offer) bool { return o.Queue == review.Queue })
		skipped := slices.ContainsFunc(s.skips, func(v hitl.Verdict) bool { return v.ReviewID == id && v.Reviewer == who })
		if i < 0 || skipped || s.openRound(id, review.Round) != nil || s.held(id, who) != nil {
			continue
		}
		s.setClaim(id, who, time.Now().Add(offers[i].For))
		return id, nil
	}
	return "", nil
}

func (s *store) Claimed(ctx context.Context, who hitl.Reviewer) ([]hitl.Record, error) {
	if err := s.begin(ctx, "Claimed"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var out []hitl.Record
	for id, rec := range s.records {
		if rec.Review.Claimed(time.Now()) && rec.Review.ClaimedBy == who && s.openRound(id, rec.Review.Round) == nil {
			out = append(out, rec)
		}
	}
	return out, nil
}

func (s *store) Skip(ctx context.Context, v hitl.Verdict, _ time.Time) (bool, error) {
	if err := s.begin(ctx, "Skip"); err != nil {
		return false, err
	}
	defer s.mu.Unlock()
	if err := s.openRound(v.ReviewID, v.Round); err != nil {
		return false, err
	}
	if err := s.held(v.ReviewID, v.Reviewer); err != nil {
		return false, err
	}
	s.setClaim(v.ReviewID, hitl.Reviewer{}, time.Time{})
	s.skips = append(s.skips, v)
	return false, nil
}

func (s *store) CardAt(ctx context.Context, channel, ts string) (string, error) {
	if err := s.begin(ctx, "CardAt"); err != nil {
		return "", err
	}
	defer s.mu.Unlock()
	for _, c := range s.list(func(c *hitl.Card) bool { return c.Channel == channel && c.TS == ts }) {
		return c.ReviewID, nil
	}
	return "", hitl.ErrNotFound
}

// AddNote keeps the promises of hitl.NoteKeeper.
func (s *store) AddNote(ctx context.Context, n hitl.Note) (bool, error) {
	id, err := s.CardAt(ctx, n.Channel, n.Thread)
	if err != nil {
		return false, err
	}
	if err := s.begin(ctx, "AddNote"); err != nil {
		return false, err
	}
	defer s.mu.Unlock()
	rec := s.records[id]
	if erased(rec) {
		return false, hitl.ErrNotFound
	}
	if slices.ContainsFunc(rec.Notes, func(o hitl.Note) bool { return o.Channel == n.Channel && o.TS == n.TS }) {
		return false, nil
	}
	rec.Notes = append(slices.Clone(rec.Notes), n)
	s.records[id] = rec
	return true, nil
}

func (s *store) notes(reviewID string) []hitl.Note {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records[reviewID].Notes
}
