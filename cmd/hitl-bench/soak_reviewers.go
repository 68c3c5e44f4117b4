package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"hitl/bot/slacksim"
)

// reviewers decide each card that the soak's two channels show, some seconds after they see it: four of five times as the model says.
type reviewers struct {
	sim    *slacksim.Sim
	cancel context.CancelFunc
	ended  chan struct{}
	ticked atomic.Int64 // clicks that were answered with success

	mu     sync.Mutex
	failed int64
	first  error
}

// startReviewers starts them; stop ends them.
func startReviewers(ctx context.Context, sim *slacksim.Sim) *reviewers {
	ctx, cancel := context.WithCancel(ctx)
	p := &reviewers{sim: sim, cancel: cancel, ended: make(chan struct{})}
	go p.run(ctx)
	return p
}

// stop waits until nobody clicks any more. It may be called again.
func (p *reviewers) stop() {
	p.cancel()
	<-p.ended
}

func (p *reviewers) run(ctx context.Context) {
	defer close(p.ended)
	var clicking sync.WaitGroup
	defer clicking.Wait()
	rng := rand.New(rand.NewPCG(7, 11)) //nolint:gosec // no secret
	last := map[string]string{}         // ts of each channel's newest card that was seen
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		for i := range 2 {
			for _, card := range p.sim.Messages(channelOf(i)) {
				if card.TS <= last[channelOf(i)] || card.Metadata == nil || card.Metadata.EventType != "hitl_card" {
					continue
				}
				last[channelOf(i)] = card.TS
				think, correct := time.Second+time.Duration(rng.Int64N(int64(5*time.Second))), rng.IntN(5) == 0
				clicking.Go(func() { p.decide(ctx, card, think, correct) })
			}
		}
	}
}

// decide presses a button of a card after a while.
func (p *reviewers) decide(ctx context.Context, card slacksim.Message, think time.Duration, correct bool) {
	t := time.NewTimer(think)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		return
	}
	action, err := decidingButton(card, correct)
	if err == nil {
		_, err = press(context.WithoutCancel(ctx), p.sim, card, action)
	}
	if err == nil {
		p.ticked.Add(1)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed++
	if p.first == nil {
		p.first = err
	}
}

// decidingButton is that of the model's label, or of another one.
func decidingButton(card slacksim.Message, correct bool) (string, error) {
	for _, e := range card.Elements() {
		if !correct && e.ActionID == "hitl_accept" || correct && strings.HasPrefix(e.ActionID, "hitl_label_") {
			return e.ActionID, nil
		}
	}
	return "", fmt.Errorf("a card has no button to decide with: %w", errors.New(card.AllText()))
}

func (p *reviewers) failures() (n int64, first error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed, p.first
}
