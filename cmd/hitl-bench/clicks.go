package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"hitl/bot/slacksim"
)

// boards are the queues that people work on at once. Slack takes a post a second in each channel, and the service keeps to that: many channels show as
// many cards a second as there are.
const boards = 64

// cards hands out the cards that the channels show, each once.
type cards struct {
	sim  *slacksim.Sim
	in   int            // channels; 0: boards
	last map[int]string // ts of each channel's last that was seen; a channel shows its messages in the order of their ts
	free []slacksim.Message
}

// take waits until so many new cards are shown.
func (c *cards) take(ctx context.Context, n int) ([]slacksim.Message, error) {
	if err := c.wait(ctx, n); err != nil {
		return nil, err
	}
	taken := c.free[:n:n]
	c.free = c.free[n:]
	return taken, nil
}

// wait waits until so many new cards are shown, and leaves them.
func (c *cards) wait(ctx context.Context, n int) error {
	if c.last == nil {
		c.last = map[int]string{}
	}
	err := until(ctx, func() (bool, error) {
		for i := range cmp.Or(c.in, boards) {
			for _, m := range c.sim.Messages(channelOf(i)) {
				if m.TS > c.last[i] && m.Metadata != nil && m.Metadata.EventType == "hitl_card" {
					c.last[i], c.free = m.TS, append(c.free, m)
				}
			}
		}
		return len(c.free) >= n, nil
	})
	if err != nil {
		return fmt.Errorf("wait for %d cards, %d are there: %w", n, len(c.free), err)
	}
	return nil
}

// press clicks a button of a card and returns how long Slack waited for the tick, which comes after the commit.
func press(ctx context.Context, sim *slacksim.Sim, card slacksim.Message, action string) (time.Duration, error) {
	out, err := sim.Click(ctx, slacksim.Click{User: reviewer, Channel: card.Channel, TS: card.TS, ActionID: action})
	if err != nil {
		return 0, err
	}
	if out.Status != http.StatusOK || out.Error != "" || len(out.Errors) > 0 {
		return 0, fmt.Errorf("a click was answered with %d %s%s", out.Status, out.Error, out.Answer)
	}
	return out.Took, nil
}

const clickEvery = time.Second / 200

// openClicks measures how long reviewers wait for their ticks while 200 clicks a second come, whatever became of those before.
func openClicks(ctx context.Context, b *bench) (*pair, error) {
	n := b.size(1000, 60)
	svc, err := b.serve(ctx, settings{Review: true, Queues: boards, OpenLimit: n/boards + 1})
	if err != nil {
		return nil, err
	}
	posts, shown := b.newClients(svc.url, boards), &cards{sim: svc.slack.sim}
	var medians []float64
	return &pair{
		unit: "ms",
		ours: func(ctx context.Context) (float64, error) {
			if _, err := posts.run(ctx, n); err != nil {
				return 0, err
			}
			open, err := shown.take(ctx, n)
			if err != nil {
				return 0, err
			}
			took, err := clickAll(ctx, svc.slack.sim, open)
			if err != nil {
				return 0, err
			}
			medians = append(medians, took[len(took)/2].Seconds()*1000)
			return took[(len(took)*99+99)/100-1].Seconds() * 1000, nil
		},
		note: func() string {
			return fmt.Sprintf("%d clicks a run; the median of the runs' medians is %s ms", n, digits(spreadOf(medians).Median))
		},
	}, nil
}

// clickAll accepts the cards, one every clickEvery, and returns the times to the ticks, ascending.
func clickAll(ctx context.Context, sim *slacksim.Sim, open []slacksim.Message) ([]time.Duration, error) {
	took, errs := make([]time.Duration, len(open)), make([]error, len(open))
	tick := time.NewTicker(clickEvery)
	defer tick.Stop()
	var group sync.WaitGroup
	for i, card := range open {
		<-tick.C
		group.Go(func() { took[i], errs[i] = press(ctx, sim, card, "hitl_accept") })
	}
	group.Wait()
	slices.Sort(took)
	return took, errors.Join(errs...)
}
