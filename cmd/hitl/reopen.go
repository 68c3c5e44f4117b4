package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"hitl"
)

type reopenCmd struct {
	ID     string `arg:"" help:"Id of the review, or of its item: rev_… or itm_…"`
	Reason string `required:"" help:"Why; the log keeps it, and the source may be told."`
	By     string `help:"Who wants it (default cli/USER, of this machine)."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

// Help is shown by hitl reopen --help.
func (reopenCmd) Help() string {
	return `Takes the decision of a closed review back, whoever made it and however long ago, expired ones included: the next round begins, and its card asks again. The
decision stays in the log, followed by an entry REOPENED with --reason and --by; statistics and exports count what stands.

A callback that was not begun yet is withdrawn, where the source waits for what stands (undo: wait). Otherwise the source is told item.reopened, and the next
decision as item.decided with a higher round. Reviews that are open, and those of erased items, are refused.

    hitl reopen rev_06h0b… --reason "decided before the customer's second mail"`
}

// reopenReport is what hitl reopen --json prints.
type reopenReport struct {
	ItemID    string     `json:"item_id"`
	ReviewID  string     `json:"review_id"`
	Queue     string     `json:"queue"`
	Round     int        `json:"round"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

func (c *reopenCmd) Run(ctx context.Context, p program, global *cli) error {
	if strings.TrimSpace(c.Reason) == "" {
		return usageError{errors.New("say why with --reason; the log keeps it")}
	}
	cfg, store, err := p.openStore(ctx, global)
	if err != nil {
		return err
	}
	defer store.Close()
	review := c.ID
	if strings.HasPrefix(c.ID, "itm_") {
		rec, err := store.Item(ctx, c.ID)
		if err != nil {
			return fmt.Errorf("item %q: %w", c.ID, err)
		}
		if rec.Review == nil {
			return fmt.Errorf("item %s had no review: the model decided it", c.ID)
		}
		review = rec.Review.ID
	}
	logger := slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	rec, err := newDesk(cfg, store, logger).Reopen(ctx, review, operator(c.By), c.Reason)
	switch refused, ok := errors.AsType[*hitl.UndoError](err); {
	case ok:
		return fmt.Errorf("review %s: %w", review, refused)
	case errors.Is(err, hitl.ErrNotFound):
		return fmt.Errorf("review %q: %w", review, hitl.ErrNotFound)
	case err != nil:
		return err
	}
	r := rec.Review
	if c.JSON {
		report := reopenReport{ItemID: rec.Item.ID, ReviewID: r.ID, Queue: r.Queue, Round: r.Round}
		if !r.ExpiresAt.IsZero() {
			report.ExpiresAt = &r.ExpiresAt
		}
		return printJSON(p.stdout, report)
	}
	_, err = fmt.Fprintf(p.stdout, "review %s in %s is open again, round %d; its card is redrawn by the running service\n", r.ID, r.Queue, r.Round)
	return err
}
