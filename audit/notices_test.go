package audit_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"hitl"
	"hitl/audit"
)

// A notice is posted until it is, and one that cannot be is given up; the one with an id that was there is none.
func TestNotices(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	var mu sync.Mutex
	seen := map[string][]hitl.Notice{}
	done := make(chan string, 10)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		err := s.RunEffects(ctx, audit.Handlers{PostNotice: func(_ context.Context, n hitl.Notice) (string, string, error) {
			mu.Lock()
			defer mu.Unlock()
			seen[n.ID] = append(seen[n.ID], n)
			switch {
			case n.ID == "ntc_bad":
				done <- n.ID
				return "", "", errors.Join(errors.New("channel is gone"), hitl.ErrPermanent)
			case n.Attempt == 1:
				return "", "", &hitl.RetryError{After: time.Millisecond, Err: errors.New("later")}
			case n.Attempt == 2:
				panic("the handler's fault")
			}
			done <- n.ID
			return "C1", "1.1", nil
		}})
		if err != nil {
			t.Error(err)
		}
	})
	good := hitl.Notice{ID: "ntc_good", Kind: "skipped", Queue: "default", ReviewID: "rev_1", To: "C1", Data: map[string]string{"by": "U1"}}
	for range 2 {
		if err := s.AddNotices(ctx, good, hitl.Notice{ID: "ntc_bad", Kind: "skipped", Queue: "default", To: "C2"}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Fatal("the notices do not come")
		}
	}
	cancel()
	running.Wait()
	if got := seen["ntc_good"]; len(got) != 3 || got[2].Attempt != 3 || got[2].Data["by"] != "U1" || got[2].ReviewID != "rev_1" || got[2].CreatedAt.IsZero() {
		t.Errorf("attempts at the good one: %+v", got)
	}
	if got := seen["ntc_bad"]; len(got) != 1 {
		t.Errorf("attempts at the bad one: %+v", got)
	}
}
