package hitl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// shredder is a strict system of record for erasure, over memory: it refuses to erase what has an open review, as the real one does.
type shredder struct {
	*memory
	entries []string // of the log: item, by, reason
	fail    error    // returned by the next Erase, which does nothing
	idle    bool     // Erase finds everything in other hands
}

func (s *shredder) Erasable(_ context.Context, e Erasure, limit int) ([]Erasable, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Erasable
	for _, r := range s.records {
		it := r.Item
		switch {
		case !it.ErasedAt.IsZero(),
			len(e.Items) > 0 && !slices.Contains(e.Items, it.ID),
			e.Subject != "" && e.Subject != it.Subject,
			e.Source != "" && e.Source != it.Source,
			!e.Before.IsZero() && !it.ReceivedAt.Before(e.Before):
			continue
		}
		item := Erasable{ItemID: it.ID}
		if _, closed := s.decisions[reviewOf(r)]; r.Review != nil && !closed {
			item.ReviewID = r.Review.ID
		}
		out = append(out, item)
	}
	slices.SortFunc(out, func(a, b Erasable) int { return strings.Compare(a.ItemID, b.ItemID) })
	return out[:min(limit, len(out))], nil
}

func (s *shredder) Erase(_ context.Context, ids []string, at time.Time, by, reason string) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fail; err != nil || s.idle {
		s.fail = nil
		return 0, err
	}
	n := 0
	for key, r := range s.records {
		_, closed := s.decisions[reviewOf(r)]
		if !slices.Contains(ids, r.Item.ID) || !r.Item.ErasedAt.IsZero() || (r.Review != nil && !closed) {
			continue
		}
		r.Item.Text, r.Item.Subject, r.Item.Metadata, r.Item.BodyHash, r.Item.ErasedAt = "", "", map[string]any{}, [32]byte{}, at
		s.records[key] = r
		s.entries = append(s.entries, r.Item.ID+" "+by+" "+reason)
		n++
	}
	return n, nil
}

func reviewOf(r Record) string {
	if r.Review == nil {
		return ""
	}
	return r.Review.ID
}

func testEraser(m *memory) (*shredder, *Eraser) {
	s := &shredder{memory: m}
	now := testTime.Add(time.Hour)
	return s, &Eraser{Erasures: s, Desk: testDesk(m, now), Batch: 2, Logger: quiet(), Now: func() time.Time { return now }}
}

// submitted takes in n items of one subject that go to a person, and n that do not.
func submitted(t *testing.T, m *memory, n int) {
	t.Helper()
	for i := range 2 * n {
		in := testIntake(m, &waiting{}, oracle{prediction: Prediction{Label: "POSITIVE", Confidence: []float64{0.5, 0.99}[i%2], Model: "sha256:model"}})
		in.Queues = nil
		if _, _, err := in.Submit(t.Context(), Submission{Source: "shop", ExternalID: fmt.Sprint(i), Text: "so so", Subject: "customer"}); err != nil {
			t.Fatal(err)
		}
	}
}

var bySubject = Erasure{Subject: "customer", By: "cli/ana", Reason: "asked to"}

func TestErase(t *testing.T) {
	t.Parallel()
	m := newMemory()
	submitted(t, m, 3)
	callbacks := len(m.callbacks)
	s, eraser := testEraser(m)
	var told []ErasureCount
	done, err := eraser.Erase(t.Context(), bySubject, 0, func(c ErasureCount) { told = append(told, c) })
	if want := (ErasureCount{Items: 6, Cancelled: 3}); err != nil || done != want {
		t.Fatalf("did %+v, error %v", done, err)
	}
	if len(told) != 3 || told[2] != done {
		t.Errorf("progress %+v", told)
	}
	if len(s.entries) != 6 || !strings.HasSuffix(s.entries[0], " cli/ana asked to") {
		t.Errorf("entries %v", s.entries)
	}
	if n := len(m.callbacks) - callbacks; n != 3 {
		t.Errorf("%d upstreams told, want 3", n)
	}
	for _, d := range m.decisions {
		if d.Status != Cancelled || d.Reviewer != systemReviewer || d.Reason != "erased" || d.Label != "" {
			t.Errorf("decision %+v", d)
		}
	}
	again, err := eraser.Erase(t.Context(), bySubject, 0, nil)
	if err != nil || again != (ErasureCount{}) || len(s.entries) != 6 || len(m.callbacks) != callbacks+3 {
		t.Errorf("again: %+v, error %v, %d entries", again, err, len(s.entries))
	}
}

func TestEraseLimit(t *testing.T) {
	t.Parallel()
	m := newMemory()
	submitted(t, m, 3)
	_, eraser := testEraser(m)
	e := Erasure{Source: "shop", Before: testTime.Add(time.Minute), By: "system", Reason: "retention"}
	for _, want := range []int{3, 3, 0} {
		if done, err := eraser.Erase(t.Context(), e, 3, nil); err != nil || done.Items != want {
			t.Errorf("erased %d, want %d, error %v", done.Items, want, err)
		}
	}
}

// Whatever step fails or is the last before a kill, running it again does the rest, and nothing twice.
func TestEraseResumes(t *testing.T) {
	t.Parallel()
	m := newMemory()
	submitted(t, m, 3)
	callbacks := len(m.callbacks)
	s, eraser := testEraser(m)
	down := errors.New("postgres is away")

	m.fail = down // nothing can be cancelled
	if _, err := eraser.Erase(t.Context(), bySubject, 0, nil); !errors.Is(err, down) {
		t.Errorf("error %v", err)
	}
	m.fail = nil
	early := len(s.entries) // of items without a review that came first, by their random ids
	for range 3 {           // cancelled, not erased
		s.fail = down
		if done, err := eraser.Erase(t.Context(), bySubject, 0, nil); !errors.Is(err, down) || done.Items != 0 {
			t.Errorf("did %+v, error %v", done, err)
		}
	}
	if len(s.entries) != early {
		t.Errorf("entries %v", s.entries)
	}
	ended, stop := context.WithCancel(t.Context())
	if _, err := eraser.Erase(ended, bySubject, 0, func(ErasureCount) { s.fail = context.Canceled; stop() }); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if done, err := eraser.Erase(t.Context(), bySubject, 0, nil); err != nil || done.Items != 4-early {
		t.Errorf("did %+v, error %v", done, err)
	}
	if len(s.entries) != 6 || len(m.decisions) != 3 || len(m.callbacks) != callbacks+3 {
		t.Errorf("%d entries, %d decisions, %d callbacks", len(s.entries), len(m.decisions), len(m.callbacks)-callbacks)
	}
}

// A reviewer who decides between the listing and the cancelling keeps their decision, and the item is erased all the same.
func TestEraseLosesToAReviewer(t *testing.T) {
	t.Parallel()
	m := newMemory()
	submitted(t, m, 1)
	_, eraser := testEraser(m)
	for _, r := range m.records {
		if r.Review != nil {
			m.decisions[r.Review.ID] = Decision{ReviewID: r.Review.ID, Round: 1, Status: HumanAccepted, Label: "POSITIVE", Reviewer: Reviewer{User: "U1"}}
			if won, err := eraser.Desk.Cancel(t.Context(), r.Review.ID, "erased"); won || err != nil {
				t.Errorf("won %v, error %v", won, err)
			}
		}
	}
	if done, err := eraser.Erase(t.Context(), bySubject, 0, nil); err != nil || done != (ErasureCount{Items: 2}) {
		t.Errorf("did %+v, error %v", done, err)
	}
}

func TestEraseGivesUp(t *testing.T) {
	t.Parallel()
	m := newMemory()
	submitted(t, m, 1)
	s, eraser := testEraser(m)
	s.idle = true
	if _, err := eraser.Erase(t.Context(), bySubject, 0, nil); !errors.Is(err, errContended) {
		t.Errorf("error %v", err)
	}
}

func TestErasureCheck(t *testing.T) {
	t.Parallel()
	_, eraser := testEraser(newMemory())
	for name, e := range map[string]Erasure{
		"everything":         {By: "x", Reason: "y"},
		"a whole source":     {Source: "shop", By: "x", Reason: "y"},
		"all before a time":  {Before: testTime, By: "x", Reason: "y"},
		"items and a source": {Items: []string{"itm_1"}, Source: "shop", By: "x", Reason: "y"},
		"no reason":          {Subject: "s", By: "x", Reason: " "},
		"nobody":             {Subject: "s", Reason: "y"},
		"a long reason":      {Subject: "s", By: "x", Reason: strings.Repeat("y", MaxReasonBytes+1)},
		"a reason with NUL":  {Subject: "s", By: "x", Reason: "a\x00b"},
		"a broken name":      {Subject: "s", By: "\xff", Reason: "y"},
	} {
		if _, err := eraser.Erase(t.Context(), e, 0, nil); !isInvalid(err) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func isInvalid(err error) bool {
	_, ok := errors.AsType[*InvalidError](err)
	return ok
}

// The hash of an erased body is gone, so that whatever comes under its id is a replay, also when the model is busy.
func TestReplayOfErased(t *testing.T) {
	t.Parallel()
	m := newMemory()
	submitted(t, m, 1)
	_, eraser := testEraser(m)
	if _, err := eraser.Erase(t.Context(), bySubject, 0, nil); err != nil {
		t.Fatal(err)
	}
	for _, o := range []oracle{{prediction: Prediction{Label: "POSITIVE", Confidence: 0.5}}, {err: ErrBusy}} {
		in := testIntake(m, &waiting{}, o)
		for _, text := range []string{"so so", "another text"} {
			rec, replayed, err := in.Submit(t.Context(), Submission{Source: "shop", ExternalID: "1", Text: text})
			if err != nil || !replayed || rec.Item.Text != "" {
				t.Errorf("%q with %v: replayed %v, error %v, %s", text, o.err, replayed, err, cmp.Diff("", rec.Item.Text))
			}
		}
	}
}
