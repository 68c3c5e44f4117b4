package audit

import (
	"context"
	"errors"
	"sync"
	"time"

	"hitl"
)

// Anchor keeps a checkpoint where the database's owner cannot change it.
type Anchor interface {
	// Name says which anchor it is, in logs and metrics.
	Name() string
	// Keep is given a signed checkpoint, more than once if it fails and after a restart. It must return when ctx ends.
	//
	// Errors: one that wraps hitl.ErrPermanent when this checkpoint is not to be tried again; *hitl.RetryError puts the next attempt off
	// for at least that long; all others mean an attempt soon.
	Keep(ctx context.Context, signed string) error
}

// anchorRetryFirst and anchorRetryMost are the first and the longest pause after a failed attempt.
const anchorRetryFirst, anchorRetryMost = 10 * time.Second, 5 * time.Minute

// anchoring brings checkpoints to one anchor. A slow or a broken one keeps neither the others nor the log waiting: a newer checkpoint takes
// the place of one that is still to be kept, since it binds all that the older one does.
type anchoring struct {
	store  *Store
	anchor Anchor
	tell   func(anchor string, err error)
	retry  time.Duration // the first pause
	next   chan string   // holds one: the newest checkpoint
}

// newAnchorings begins to bring checkpoints to anchors, until ctx ends; wait returns when all have ended.
func (s *Store) newAnchorings(ctx context.Context, cfg SequenceConfig) (all anchorings, wait func()) {
	var running sync.WaitGroup
	for _, anchor := range cfg.Anchors {
		a := &anchoring{store: s, anchor: anchor, tell: cfg.Anchored, retry: min(cfg.CheckpointEvery/4, anchorRetryFirst), next: make(chan string, 1)}
		all = append(all, a)
		running.Go(func() { a.run(ctx) })
	}
	return all, running.Wait
}

type anchorings []*anchoring

// offer hands a checkpoint to every anchor. Only one goroutine may call it.
func (all anchorings) offer(signed string) {
	for _, a := range all {
		select {
		case <-a.next: // superseded
		default:
		}
		a.next <- signed
	}
}

func (a *anchoring) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case signed := <-a.next:
			a.keep(ctx, signed)
		}
	}
}

// keep tries until the checkpoint is kept, given up or superseded.
func (a *anchoring) keep(ctx context.Context, signed string) {
	for pause := a.retry; ; pause = min(2*pause, anchorRetryMost) {
		bounded, cancel := context.WithTimeout(ctx, a.store.cfg.EffectTimeout)
		err := contain(func() error { return a.anchor.Keep(bounded, signed) })
		cancel()
		if err != nil && ctx.Err() != nil {
			return
		}
		if a.tell != nil {
			a.tell(a.anchor.Name(), err)
		}
		if err == nil {
			return
		}
		a.store.cfg.Logger.WarnContext(ctx, "could not anchor a checkpoint", "anchor", a.anchor.Name(), "error", err)
		if errors.Is(err, hitl.ErrPermanent) {
			return
		}
		wait := pause
		if retry, ok := errors.AsType[*hitl.RetryError](err); ok {
			wait = max(wait, retry.After)
		}
		timer := time.NewTimer(jitter(wait))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case signed = <-a.next: // at once: it has its own chance
			timer.Stop()
			pause = a.retry / 2
		case <-timer.C:
		}
	}
}
