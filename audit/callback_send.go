package audit

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"go.opentelemetry.io/otel/codes"

	"hitl"
)

// deliverer sends callbacks that are due. Its rows say all there is to know of a callback: when its next attempt is due, how many there were, and what came
// of them. What is due is claimed for many at a time, and so are outcomes recorded, those of all attempts that ended while the last were being written:
// a statement for each would take most of the time.
//
// Each source has its own places, so that one whose receiver is slow, or gone, holds up no other.
type deliverer struct {
	store *Store
	send  func(context.Context, hitl.Callback) error

	stop <-chan struct{} // closed when no attempt may begin any more

	mu     sync.Mutex
	busy   map[string]int           // claimed, and not yet sent, by source
	places map[string]chan struct{} // by source: holds what is being sent
	held   map[*claimed]struct{}    // claimed and not recorded
	left   []*claimed               // not begun when it was time to stop
	freed  chan struct{}            // has one when a claim may take as many of a source as are sent at once

	since map[string]time.Time // of each source that had something due, when the last that was claimed was, less lateCommit
	whole time.Time            // when to look through all that is due again, and not only since then

	ended chan tried
}

// tried is an attempt that has ended.
type tried struct {
	outcome
	ctx  context.Context //nolint:containedctx // it is told to the observer, after the commit
	kind Outcome
	took time.Duration
}

const (
	// lateCommit is how much earlier than what has been claimed a callback may be due and still be found at once: it is due from the time at which its
	// transaction began. What took longer is found by the next whole look.
	lateCommit = time.Second
	// wholeShare bounds the share of the time that whole looks take, to one in so many; wholeFull is the least time between two while there is more that
	// is due than there are places, and wholeMost the most. Then new sources are seen, and what waited for another callback of its item.
	wholeShare = 50
	wholeFull  = time.Second
	wholeMost  = 5 * time.Second
	// claimPause is the least time between two claims, while there is more that is due than there are places: so that several places come free meanwhile.
	claimPause = time.Millisecond
	// recordBatch is the most outcomes in a statement.
	recordBatch = 256
	// recordPause is how long an attempt to record outcomes is followed by none after it failed.
	recordPause = time.Second
)

// deliverCallbacks sends callbacks until ctx ends, and returns when the attempts that last then are over, no later than after StopTimeout, and recorded.
func (s *Store) deliverCallbacks(ctx context.Context, send func(context.Context, hitl.Callback) error) {
	d := &deliverer{
		store: s, send: send, stop: ctx.Done(), busy: map[string]int{}, places: map[string]chan struct{}{}, held: map[*claimed]struct{}{},
		freed: make(chan struct{}, 1), since: map[string]time.Time{}, ended: make(chan tried, recordBatch),
	}
	sending, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	stopped := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(s.cfg.StopTimeout):
			giveUp()
		case <-sending.Done():
		}
	})
	defer stopped()
	var recording sync.WaitGroup
	recording.Go(func() { d.record(ctx) })
	recording.Go(func() { d.keepLeases(sending) })

	var attempts sync.WaitGroup
	failing := false
	for ctx.Err() == nil {
		full, err := d.claim(sending, &attempts)
		if err != nil && !failing {
			s.cfg.Logger.WarnContext(ctx, "could not look for callbacks, will try again", "error", err)
		}
		failing = err != nil
		d.wait(ctx, full)
	}
	attempts.Wait()
	d.giveBack(ctx)
	close(d.ended)
	giveUp()
	recording.Wait()
}

// giveBack leaves to others what was not begun.
func (d *deliverer) giveBack(ctx context.Context) {
	if len(d.left) == 0 {
		return
	}
	s := d.store
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.StatementTimeout)
	defer cancel()
	if err := s.giveBack(bounded, d.left); err != nil {
		s.cfg.Logger.WarnContext(ctx, "callbacks that were claimed are sent when their leases have ended", "callbacks", len(d.left), "error", err)
	}
}

// wait returns when it is time to look for what is due: soon when places come free of a source that may have more.
func (d *deliverer) wait(ctx context.Context, full bool) {
	poll := time.NewTimer(d.store.cfg.PollInterval)
	defer poll.Stop()
	var freed <-chan struct{}
	if full {
		freed = d.freed
	}
	select {
	case <-ctx.Done():
	case <-poll.C:
	case <-freed:
		select {
		case <-ctx.Done():
		case <-time.After(claimPause):
		}
	}
}

// claim begins the attempts that are due, as many as may be claimed, and says whether a source may have more. A claim that has begun is not broken off: what it
// took would have to wait for the end of its lease.
func (d *deliverer) claim(ctx context.Context, attempts *sync.WaitGroup) (full bool, err error) {
	d.mu.Lock()
	c := claiming{busy: maps.Clone(d.busy)}
	select {
	case <-d.freed: // counted
	default:
	}
	d.mu.Unlock()
	begin := time.Now()
	if begin.Before(d.whole) {
		c.since = d.since
	}
	bounded, cancel := context.WithTimeout(ctx, d.store.cfg.StatementTimeout)
	list, err := d.store.claim(bounded, c)
	cancel()
	d.mu.Lock()
	for _, one := range list {
		d.busy[one.Source]++
		d.held[one] = struct{}{}
		c.busy[one.Source]++
		place := d.places[one.Source]
		if place == nil {
			place = make(chan struct{}, d.store.cfg.CallbackWorkers)
			d.places[one.Source] = place
		}
		attempts.Go(func() {
			select {
			case <-d.stop:
			case place <- struct{}{}:
				defer func() { <-place }()
			}
			select {
			case <-d.stop:
				d.leave(one)
			default:
				d.attempt(ctx, one)
			}
		})
	}
	d.mu.Unlock()
	for _, n := range c.busy {
		full = full || n >= claimsOf(d.store.cfg)
	}
	switch {
	case err == nil:
		d.advance(list, c.since == nil, full, time.Since(begin))
	case c.since == nil: // if it took too long, what is known to be due need not wait for it
		d.whole = time.Now().Add(wholeMost)
	}
	return full, err
}

// advance remembers behind what the next claims need not look, until the next whole look says better.
func (d *deliverer) advance(list []*claimed, whole, full bool, took time.Duration) {
	last := map[string]time.Time{}
	for _, c := range list {
		if at := c.dueAt.Add(-lateCommit); at.After(last[c.Source]) {
			last[c.Source] = at
		}
	}
	for source, at := range last {
		if whole || at.After(d.since[source]) {
			d.since[source] = at
		}
	}
	if whole {
		pause := min(wholeShare*took, wholeMost)
		if full {
			pause = max(pause, wholeFull)
		}
		d.whole = time.Now().Add(pause)
	}
}

// attempt makes an attempt and hands on what it came to.
func (d *deliverer) attempt(ctx context.Context, c *claimed) {
	s := d.store
	start := s.cfg.Now()
	ctx, span := s.callbackSpan(ctx, c.Callback)
	bounded, cancel := context.WithTimeout(ctx, s.cfg.EffectTimeout)
	cause := contain(func() error { return d.send(bounded, c.Callback) })
	cancel()
	d.mu.Lock()
	d.free(c)
	d.mu.Unlock()
	a := tried{ctx: ctx, took: s.cfg.Now().Sub(start), kind: OutcomeDone, outcome: outcome{claimed: c, state: hitl.CallbackDelivered, cause: cause}}
	if cause != nil {
		span.SetStatus(codes.Error, "")
		a.fail(s)
	}
	span.End()
	d.ended <- a
}

// leave notes that an attempt was not begun.
func (d *deliverer) leave(c *claimed) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.free(c)
	delete(d.held, c)
	d.left = append(d.left, c)
}

// free makes room for another claim, under the lock.
func (d *deliverer) free(c *claimed) {
	if d.busy[c.Source]--; d.busy[c.Source] == 0 {
		delete(d.busy, c.Source)
	}
	if d.busy[c.Source] > claimsOf(d.store.cfg)-d.store.cfg.CallbackWorkers {
		return
	}
	select {
	case d.freed <- struct{}{}:
	default:
	}
}

// fail decides what follows a failed attempt.
func (a *tried) fail(s *Store) {
	log := s.cfg.Logger.With("callback", a.ID, "source", a.Source, "item", a.ItemID, "attempt", a.attempt)
	if a.attempt > len(s.cfg.CallbackRetries) || errors.Is(a.cause, hitl.ErrPermanent) {
		a.kind, a.state = OutcomeDead, hitl.CallbackDead
		log.WarnContext(a.ctx, "callback is dead", "error", a.cause)
		return
	}
	a.kind, a.state, a.wait = OutcomeRetried, hitl.CallbackPending, jitter(s.cfg.CallbackRetries[a.attempt-1])
	if later, ok := errors.AsType[*hitl.RetryError](a.cause); ok {
		a.wait = max(a.wait, later.After)
	}
	log.InfoContext(a.ctx, "callback failed, will be tried again", "in", a.wait, "error", a.cause)
}

// record writes what attempts came to, those that have ended since it last did together, until there are no more.
func (d *deliverer) record(ctx context.Context) {
	for first := range d.ended {
		batch := []tried{first}
	gather:
		for len(batch) < recordBatch {
			select {
			case a, ok := <-d.ended:
				if !ok {
					break gather
				}
				batch = append(batch, a)
			default:
				break gather
			}
		}
		d.recordBatch(ctx, batch)
	}
}

// recordBatch writes outcomes, and tries again for as long as this process goes on: the attempts were made, and would be made again. What is not written
// when it ends is sent again when its lease has ended.
func (d *deliverer) recordBatch(ctx context.Context, batch []tried) {
	s := d.store
	outcomes := make([]outcome, len(batch))
	for i, a := range batch {
		outcomes[i] = a.outcome
	}
	var err error
	for again := false; ; again = true {
		// What an attempt came to is recorded even when the process is about to stop. The statement belongs to none of the attempts' traces.
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.StatementTimeout)
		err = s.recordOutcomes(bounded, outcomes)
		cancel()
		if err == nil || ctx.Err() != nil {
			break
		}
		if !again {
			s.cfg.Logger.WarnContext(ctx, "could not record what became of callbacks, will try again", "callbacks", len(batch), "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(recordPause):
		}
	}
	if err != nil {
		s.cfg.Logger.WarnContext(ctx, "what became of callbacks is not recorded, they will be sent again", "callbacks", len(batch), "error", err)
	}
	d.mu.Lock()
	for _, a := range batch {
		delete(d.held, a.claimed)
	}
	d.mu.Unlock()
	if err == nil {
		for _, a := range batch {
			s.cfg.Observer.CallbackTried(a.ctx, a.Source, a.attempt, a.kind, a.took) //nolint:contextcheck // that of the attempt
		}
	}
}

// keepLeases renews the leases of attempts that last, until ctx ends.
func (d *deliverer) keepLeases(ctx context.Context) {
	s := d.store
	tick := time.NewTicker(max(s.cfg.JobLease/5, time.Millisecond))
	defer tick.Stop()
	failing := false
	var before map[*claimed]struct{} // held at the last tick: younger ones need nothing yet
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		d.mu.Lock()
		held := maps.Clone(d.held)
		d.mu.Unlock()
		var old []*claimed
		for c := range held {
			if _, ok := before[c]; ok {
				old = append(old, c)
			}
		}
		before = held
		if len(old) == 0 {
			continue
		}
		bounded, cancel := context.WithTimeout(ctx, s.cfg.JobLease)
		err := s.renew(bounded, old)
		cancel()
		if err != nil && !failing && ctx.Err() == nil {
			s.cfg.Logger.WarnContext(ctx, "could not renew the leases of callbacks, will try again", "error", err)
		}
		failing = err != nil
	}
}
