package hitl

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// looks keeps reveals, or fails to.
type looks struct {
	kept []Reveal
	err  error
}

func (l *looks) Reveal(_ context.Context, r Reveal) error {
	if l.err == nil {
		l.kept = append(l.kept, r)
	}
	return l.err
}

func TestReveal(t *testing.T) {
	t.Parallel()
	m, kept := newMemory(), &looks{}
	rec := openReview(t, m, unsure)
	desk := testDesk(m, testTime)
	desk.Reveals = kept
	where := map[string]string{"surface": "button"}
	for range 2 {
		got, err := desk.Reveal(t.Context(), rec.Review.ID, ann, where)
		if err != nil || got.Item.Text != rec.Item.Text {
			t.Fatalf("%q, %v", got.Item.Text, err)
		}
	}
	want := Reveal{ReviewID: rec.Review.ID, Round: 1, Reviewer: ann, At: desk.now(), Context: where}
	if diff := cmp.Diff([]Reveal{want, want}, kept.kept); diff != "" {
		t.Error(diff)
	}
}

// Without an entry there is no text.
func TestRevealFails(t *testing.T) {
	t.Parallel()
	m := newMemory()
	rec := openReview(t, m, unsure)
	broken := errors.New("connection lost")
	var invalid *InvalidError
	for name, tc := range map[string]struct {
		reveals  Reveals
		review   string
		reviewer Reviewer
		want     func(error) bool
	}{
		"commit fails": {&looks{err: broken}, rec.Review.ID, ann, func(err error) bool { return errors.Is(err, broken) }},
		"no review":    {&looks{}, "rev_none", ann, func(err error) bool { return errors.Is(err, ErrNotFound) }},
		"nobody":       {&looks{}, rec.Review.ID, Reviewer{Team: "T1"}, func(err error) bool { return errors.As(err, &invalid) }},
		"no keeper":    {nil, rec.Review.ID, ann, func(err error) bool { return errors.Is(err, ErrUnavailable) }},
	} {
		desk := testDesk(m, testTime)
		desk.Reveals = tc.reveals
		got, err := desk.Reveal(t.Context(), tc.review, tc.reviewer, nil)
		if !tc.want(err) || got.Item.Text != "" {
			t.Errorf("%s: %q, %v", name, got.Item.Text, err)
		}
	}
}
