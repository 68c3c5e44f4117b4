package bot

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// replayTime is how long a signature can be good after it was seen: its timestamp may be ahead of our clock as far as behind.
	replayTime = 2 * signatureWindow
	// replayPatience is how long the shared memory may take; a reviewer waits.
	replayPatience = 150 * time.Millisecond
	// maxReplays bounds the memory of this process: two generations of some 150 bytes each. Beyond it the oldest are forgotten before
	// their time.
	maxReplays = 1 << 16
)

// replays tells a request from its repetition. This process remembers what it took, and shared what all replicas took; while shared is
// away, a repetition sent to another replica is not noticed.
type replays struct {
	shared Replays // may be nil
	now    func() time.Time

	mu         sync.Mutex
	young, old map[string]struct{}
	since      time.Time // when young was begun
}

func newReplays(shared Replays, now func() time.Time) *replays {
	return &replays{shared: shared, now: now, young: map[string]struct{}{}, since: now()}
}

// first says whether a key has not come before. An error means that only this process was asked.
func (r *replays) first(ctx context.Context, key string) (bool, error) {
	if !r.remember(key) {
		return false, nil
	}
	if r.shared == nil {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, replayPatience)
	defer cancel()
	first, err := r.shared.First(ctx, key, replayTime)
	if err != nil {
		return true, fmt.Errorf("ask the other replicas: %w", err)
	}
	return first, nil
}

// remember says whether this process sees a key for the first time.
func (r *replays) remember(key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, young := r.young[key]
	_, old := r.old[key]
	if young || old {
		return false
	}
	if now := r.now(); len(r.young) >= maxReplays/2 || now.Sub(r.since) > replayTime {
		r.young, r.old, r.since = map[string]struct{}{}, r.young, now
	}
	r.young[key] = struct{}{}
	return true
}
