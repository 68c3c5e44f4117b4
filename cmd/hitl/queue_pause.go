package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hitl"
)

type queuePauseCmd struct {
	Queue  string `arg:"" help:"The queue."`
	Reason string `help:"Why; its channel is told."`
	By     string `help:"Who wants it (default cli/USER, of this machine)."`
}

// Help is shown by hitl queue pause --help.
func (queuePauseCmd) Help() string {
	return `Until hitl queue resume, or /hitl resume in Slack, the running service posts no new cards of the queue, offers none of its reviews, reminds nobody,
escalates nothing, and lets nothing expire. Items are taken in, and what is on a card can be decided. The queue's channel is told.`
}

func (c *queuePauseCmd) Run(ctx context.Context, p program, global *cli) error {
	desk, done, err := p.openDesk(ctx, global, c.Queue)
	if err != nil {
		return err
	}
	defer done()
	standing, fresh, err := desk.Pause(ctx, c.Queue, operator(c.By), c.Reason)
	if err != nil {
		return err
	}
	words := "queue %s is paused\n"
	if !fresh {
		words = "queue %s was paused already, by " + printable(standing.By) + " at " + standing.At.UTC().Format(time.RFC3339) + "\n"
	}
	_, err = fmt.Fprintf(p.stdout, words, c.Queue)
	return err
}

type queueResumeCmd struct {
	Queue string `arg:"" help:"The queue."`
	By    string `help:"Who wants it (default cli/USER, of this machine)."`
}

func (c *queueResumeCmd) Run(ctx context.Context, p program, global *cli) error {
	desk, done, err := p.openDesk(ctx, global, c.Queue)
	if err != nil {
		return err
	}
	defer done()
	pause, err := desk.Resume(ctx, c.Queue, operator(c.By))
	if errors.Is(err, hitl.ErrNotFound) {
		return fmt.Errorf("queue %q is not paused", c.Queue)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "queue %s goes on after %s\n", c.Queue, span(time.Since(pause.At)))
	return err
}

// pausedCell says since when a queue is paused.
func pausedCell(p *hitl.Pause) string {
	if p == nil {
		return ""
	}
	return "since " + p.At.UTC().Format(time.RFC3339) + " by " + printable(p.By)
}
