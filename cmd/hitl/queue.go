package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"time"

	"hitl"
	"hitl/audit"
	"hitl/config"
	"hitl/queue"
)

type queueCmd struct {
	List    queueListCmd    `cmd:"" help:"Print what waits in the queues, and what is on cards."`
	Pause   queuePauseCmd   `cmd:"" help:"Stop a queue: nothing of it is posted, offered, reminded of or expires."`
	Resume  queueResumeCmd  `cmd:"" help:"Let a paused queue go on; its deadlines have moved by what was lost."`
	Rebuild queueRebuildCmd `cmd:"" help:"Throw Redis' queues away and build them from Postgres."`
}

// openedQueues are the queues that a command works on.
type openedQueues struct {
	cfg    *config.Config
	store  *audit.Store
	client *queue.Client
	names  []string
}

func (o *openedQueues) close() {
	if o.client != nil {
		_ = o.client.Close() // nothing was left unsaid: every call has returned
	}
	o.store.Close()
}

// openQueues connects to Postgres and Redis; only names one queue, or none for all.
func (p program) openQueues(ctx context.Context, global *cli, only string) (_ *openedQueues, err error) {
	o := &openedQueues{}
	if o.cfg, o.store, err = p.openStore(ctx, global); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			o.close()
		}
	}()
	o.names = slices.Sorted(maps.Keys(o.cfg.Queues))
	if only != "" {
		if !slices.Contains(o.names, only) {
			return nil, usageError{fmt.Errorf("queue %q is not configured; there are %v", only, o.names)}
		}
		o.names = []string{only}
	}
	o.client, err = openQueue(ctx, o.cfg, slog.New(slog.DiscardHandler), nil)
	return o, err
}

// openDesk makes the desk for a command about one queue. done closes what it needs.
func (p program) openDesk(ctx context.Context, global *cli, queue string) (desk *hitl.Desk, done func(), err error) {
	cfg, store, err := p.openStore(ctx, global)
	if err != nil {
		return nil, nil, err
	}
	if _, ok := cfg.Queues[queue]; !ok {
		store.Close()
		return nil, nil, usageError{fmt.Errorf("queue %q is not configured; there are %v", queue, slices.Sorted(maps.Keys(cfg.Queues)))}
	}
	logger := slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	return newDesk(cfg, store, logger), store.Close, nil
}

type queueListCmd struct {
	Queue string `arg:"" optional:"" help:"Only this queue."`
	Limit int    `default:"20" help:"Reviews per queue (default ${default})."`
	JSON  bool   `help:"Print JSON."`
}

type queueListing struct {
	Queue    string          `json:"queue"`
	Channel  string          `json:"channel"`
	Open     int             `json:"open"`     // open reviews, by Postgres
	OnCards  int             `json:"on_cards"` // of these, shown in Slack
	Waiting  int64           `json:"waiting"`  // for a card, by Redis
	OldestNS time.Duration   `json:"oldest_ns"`
	Paused   *hitl.Pause     `json:"paused,omitempty"`
	Next     []queue.Waiting `json:"next"`
}

func (c *queueListCmd) Run(ctx context.Context, p program, global *cli) error {
	o, err := p.openQueues(ctx, global, c.Queue)
	if err != nil {
		return err
	}
	defer o.close()
	backlogs, err := o.store.Backlogs(ctx)
	if err != nil {
		return err
	}
	paused, err := o.store.Paused(ctx)
	if err != nil {
		return err
	}
	listings := make([]queueListing, len(o.names))
	for i, name := range o.names {
		b := backlogs.Queues[name]
		l := queueListing{Queue: name, Channel: o.cfg.Queues[name].Channel, Open: b.Open, OnCards: b.OnCards, OldestNS: b.OldestAge}
		if p, ok := paused[name]; ok {
			l.Paused = &p
		}
		if l.Waiting, err = o.client.Len(ctx, name); err != nil {
			return err
		}
		if l.Next, err = o.client.List(ctx, name, max(0, c.Limit)); err != nil {
			return err
		}
		listings[i] = l
	}
	if c.JSON {
		return printJSON(p.stdout, listings)
	}
	return printQueues(p.stdout, listings)
}

func printQueues(w io.Writer, listings []queueListing) error {
	var rows, next [][]string
	for _, l := range listings {
		rows = append(rows, []string{l.Queue, l.Channel, strconv.Itoa(l.Open), strconv.Itoa(l.OnCards), strconv.FormatInt(l.Waiting, 10), span(l.OldestNS), pausedCell(l.Paused)})
		for _, e := range l.Next {
			next = append(next, []string{l.Queue, string(e.Priority), e.ReviewID, e.Added.UTC().Format(time.RFC3339)})
		}
	}
	if err := table(w, []string{"QUEUE", "CHANNEL", "OPEN", "ON CARDS", "WAITING", "OLDEST", "PAUSED"}, rows); err != nil || len(next) == 0 {
		return err
	}
	fmt.Fprintln(w)
	return table(w, []string{"NEXT IN", "PRIORITY", "REVIEW", "QUEUED"}, next)
}

type queueRebuildCmd struct {
	Queue string `arg:"" optional:"" help:"Only this queue."`
}

// Help is shown by hitl queue rebuild --help.
func (queueRebuildCmd) Help() string {
	return `Makes each queue in Redis hold just the open reviews of Postgres that wait for a card. Safe while the service runs, which does the same by itself
when Redis has lost its data.`
}

func (c *queueRebuildCmd) Run(ctx context.Context, p program, global *cli) error {
	o, err := p.openQueues(ctx, global, c.Queue)
	if err != nil {
		return err
	}
	defer o.close()
	for _, name := range o.names {
		r, err := o.client.Rebuild(ctx, name, o.store, func(r queue.Rebuilt) {
			if isTerminal(p.stderr) {
				fmt.Fprintf(p.stderr, "\r%s: %d reviews", printable(name), r.Open)
			}
		})
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(p.stdout, "%s: %d reviews wait; %d were missing, %d did not belong\n", name, r.Open, r.Added, r.Dropped); err != nil {
			return err
		}
	}
	return nil
}
