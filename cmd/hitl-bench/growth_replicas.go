package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"hitl/bot/slacksim"
)

// perChannel is how many cards each channel shows: all of them are decided in a run.
const perChannel = 4

// fleet is a service of so many processes, and those who use it: clients post to each process in turn, and a balancer hands each click to the next.
type fleet struct {
	*service
	posts   *clients
	shown   *cards
	told    *ledger
	conn    *pgx.Conn
	decided int
}

// openReplicas prepares services that differ in how many processes serve. What is measured are the ways that cross between processes: a review that one
// takes in is posted by another, decided through a third, and called back by a fourth.
func openReplicas(ctx context.Context, b *bench) (*growing, error) {
	g := &growing{sizes: []int{1, 2, 4}}
	if b.Quick {
		g.sizes = []int{1, 2}
	}
	channels := b.size(boards, 8)
	var all []*fleet
	for _, n := range g.sizes {
		f, err := b.openFleet(ctx, n, channels)
		if err != nil {
			return nil, fmt.Errorf("%d processes: %w", n, err)
		}
		all = append(all, f)
	}
	items, cards := b.size(3200, 160), channels*perChannel
	g.steps = []step{
		{
			figures: []figure{{name: "items posted", unit: "1/s", reach: atLeast(0.9)}},
			run: func(ctx context.Context, at int) ([]float64, error) {
				if err := all[at].shown.wait(ctx, cards); err != nil { // or there is room, and cards are posted meanwhile
					return nil, err
				}
				rate, err := all[at].posts.run(ctx, items)
				return []float64{rate}, err
			},
		},
		{
			figures: []figure{{name: "cards decided", unit: "1/s", reach: atLeast(0.9)}, {name: "decided and called back", unit: "1/s", reach: atLeast(0.9)}},
			run:     func(ctx context.Context, at int) ([]float64, error) { return all[at].decide(ctx, cards) },
		},
	}
	var parts []Parts
	g.end = func(ctx context.Context) error {
		for i, f := range all {
			if err := f.once(ctx); err != nil {
				return fmt.Errorf("%d processes: %w", g.sizes[i], err)
			}
			p, err := f.parts(ctx)
			if err != nil {
				return err
			}
			parts = append(parts, p...)
		}
		return nil
	}
	g.parts = func() []Parts { return parts }
	g.note = func() string {
		last := all[len(all)-1]
		return fmt.Sprintf("%d items a run by %d clients, all for people; %d cards a run in %d channels, %d at once, through a balancer that hands each click to the next process, while new cards take the place of "+
			"those decided: one a second in each channel from each process, so more of them at once the more processes there are. Nothing was done twice: at %d "+
			"processes, %d decisions, one card and one callback each", items, clientCount, cards, channels, cyclists, g.sizes[len(g.sizes)-1], last.decided)
	}
	return g, nil
}

func (b *bench) openFleet(ctx context.Context, replicas, channels int) (*fleet, error) {
	told, err := b.startLedger(ctx)
	if err != nil {
		return nil, err
	}
	svc, err := b.serve(ctx, settings{Replicas: replicas, Review: true, Queues: channels, OpenLimit: perChannel, Metrics: true, Callbacks: told.url})
	if err != nil {
		return nil, err
	}
	front, err := b.startBalancer(ctx, svc.urls)
	if err != nil {
		return nil, err
	}
	svc.slack.sim.SetEndpoints(slacksim.Endpoints{Interactivity: front + "/slack/interactivity", Commands: front + "/slack/commands"})
	f := &fleet{service: svc, posts: b.newClients(svc.url, channels), shown: &cards{sim: svc.slack.sim, in: channels}, told: told}
	f.posts.more = svc.urls[1:]
	if f.conn, err = b.connect(ctx, svc.database); err != nil {
		return nil, err
	}
	_, err = f.posts.run(ctx, 2*channels*perChannel) // so that there are cards before the first run
	return f, err
}

// decide has people decide all cards that are shown. It returns how many decisions a second were answered, and how many a second had arrived where items
// come from once all had.
func (f *fleet) decide(ctx context.Context, n int) ([]float64, error) {
	open, err := f.shown.take(ctx, n)
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	if err := spread(cyclists, n, func(i int) error {
		_, err := press(ctx, f.slack.sim, open[i], "hitl_accept")
		return err
	}); err != nil {
		return nil, err
	}
	answered := time.Since(begin)
	f.decided += n
	if err := until(ctx, func() (bool, error) { return f.told.items() >= f.decided, nil }); err != nil {
		return nil, fmt.Errorf("wait for %d callbacks, %d items were called back: %w", f.decided, f.told.items(), err)
	}
	return []float64{float64(n) / answered.Seconds(), float64(n) / time.Since(begin).Seconds()}, nil
}

// once makes sure that nothing was done twice: a card for each review, in Slack and in the record, and a callback for each decision.
func (f *fleet) once(ctx context.Context) error {
	var errs []error
	var decisions, cards, reviews int
	err := f.conn.QueryRow(ctx, `SELECT (SELECT count(*) FROM hitl.decisions), (SELECT count(*) FROM hitl.cards WHERE state = 'posted'),
		(SELECT count(DISTINCT review_id) FROM hitl.cards WHERE state = 'posted')`).Scan(&decisions, &cards, &reviews)
	if err != nil {
		return err
	}
	if cards != reviews {
		errs = append(errs, fmt.Errorf("%d reviews have %d cards", reviews, cards))
	}
	if decisions != f.decided {
		errs = append(errs, fmt.Errorf("%d clicks made %d decisions", f.decided, decisions))
	}
	shown, messages := map[any]bool{}, 0
	for i := range f.shown.in {
		for _, m := range f.slack.sim.Messages(channelOf(i)) {
			if m.Metadata != nil && m.Metadata.EventType == "hitl_card" {
				messages++
				shown[m.Metadata.EventPayload["review"]] = true
			}
		}
	}
	if len(shown) != messages {
		errs = append(errs, fmt.Errorf("%d reviews were shown in %d messages", len(shown), messages))
	}
	if items, calls := f.told.items(), f.told.calls(); items != f.decided || calls != f.decided {
		errs = append(errs, fmt.Errorf("%d decisions were told in %d callbacks of %d items", f.decided, calls, items))
	}
	return errors.Join(errs...)
}

// parts are how many pieces of each kind of work each process did, as its metrics say. A single process did all.
func (f *fleet) parts(ctx context.Context) ([]Parts, error) {
	if len(f.urls) == 1 {
		return nil, nil
	}
	var all []Parts
	for _, work := range []struct{ words, metric, label string }{
		{"items taken in", "hitl_items_total", ""},
		{"cards posted", "hitl_cards_posted_total", `outcome="posted"`},
		{"clicks answered", "hitl_slack_clicks_total", ""},
		{"callbacks sent", "hitl_callback_seconds_count", `outcome="done"`},
		{"cards redrawn", "hitl_card_refresh_seconds_count", `outcome="done"`},
		{"periodic tasks run", "hitl_periodic_seconds_count", ""},
	} {
		p := Parts{Work: work.words, Size: len(f.urls)}
		for _, url := range f.metrics {
			text, err := read(ctx, url)
			if err != nil {
				return nil, err
			}
			p.Each = append(p.Each, sumOf(text, work.metric, work.label))
		}
		all = append(all, p)
	}
	return all, nil
}
