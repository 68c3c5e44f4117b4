package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/user"
	"strings"
	"time"

	"hitl"
	"hitl/audit"
)

type eraseCmd struct {
	Item    []string `xor:"what" placeholder:"ID" help:"Erase this item; may be given several times."`
	Subject string   `xor:"what" placeholder:"KEY" help:"Erase all items of this subject: the key that came with them."`
	Source  string   `placeholder:"NAME" help:"With --subject: only the items of this source."`
	Reason  string   `placeholder:"TEXT" help:"Why. It stands in the log from now on and cannot be erased: name no person in it."`
	By      string   `placeholder:"NAME" help:"Who wants it, for the log. Default: cli/ and your user name."`
	DryRun  bool     `help:"Count what would be erased, and erase nothing."`
	Yes     bool     `short:"y" help:"Do not ask."`
	JSON    bool     `name:"json" help:"Print JSON."`
}

// Help is shown by hitl erase --help.
func (eraseCmd) Help() string {
	return `Removes from Postgres what people wrote: an item's text, metadata and subject, the hash that recognised its body, reviewers' comments, and the bodies of its
callbacks (one that is on its way keeps its own until it has arrived or is given up). Cards in Slack are redrawn without the text by the running service. A review that
is still open is cancelled first, and its source called back.

What stays: the item's ids, yours included, its labels, probabilities and times, who decided what, and every log entry. The log gets one more, ERASED, with --reason and
--by. It never held the text, only a commitment under a key that is erased too: hitl verify still finds it whole, and nobody can test a guess against it. Entries of hitl before it had this command
hold reviewers' comments in words, and keep them.

The same id posted again is answered with the stored item, whatever the text.

Killed half way, run it again: it does the rest. Backups, WAL archives and replicas that lag are yours to expire; Postgres frees the rows' space at the next
(auto)vacuum of hitl.item_texts, hitl.items, hitl.decisions and hitl.callbacks. What Slack keeps of edited messages (exports, legal holds) is the workspace's.

    hitl erase --subject customer-4711 --reason "request 2024-17" --dry-run
    hitl erase --item itm_06h0b… --reason "sent by mistake"

Items are erased by themselves when they are older than their source's retain.`
}

// eraseReport is what hitl erase --json prints.
type eraseReport struct {
	DryRun    bool `json:"dry_run"`
	Items     int  `json:"items"`
	Cancelled int  `json:"cancelled_reviews"`
	Cards     int  `json:"cards"`
}

func (c *eraseCmd) Run(ctx context.Context, p program, global *cli) error {
	e, err := c.erasure()
	if err != nil {
		return usageError{err}
	}
	cfg, store, err := p.openStore(ctx, global)
	if err != nil {
		return err
	}
	defer store.Close()
	for _, id := range c.Item {
		if _, err := store.Item(ctx, id); err != nil {
			return fmt.Errorf("item %q: %w", id, err)
		}
	}
	found, err := store.CountErasable(ctx, e)
	if err != nil {
		return err
	}
	report := eraseReport{DryRun: c.DryRun, Items: found.Items, Cancelled: found.OpenReviews, Cards: found.Cards}
	if c.DryRun || found.Items == 0 {
		return c.print(p, report)
	}
	if err := c.ask(p, found); err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	done, err := newEraser(store, newDesk(cfg, store, logger), logger).Erase(ctx, e, 0, func(sofar hitl.ErasureCount) {
		if p.terminal && found.Items > eraseBatch {
			fmt.Fprintf(p.stderr, "%d of %d\n", sofar.Items, found.Items)
		}
	})
	report.Items, report.Cancelled = done.Items, done.Cancelled
	if err != nil {
		return fmt.Errorf("%w (%d items are erased; run it again for the rest)", err, done.Items)
	}
	return c.print(p, report)
}

// erasure is what the command line asks for.
func (c *eraseCmd) erasure() (hitl.Erasure, error) {
	switch {
	case len(c.Item) == 0 && c.Subject == "":
		return hitl.Erasure{}, errors.New("name what to erase: --item ID or --subject KEY")
	case c.Source != "" && c.Subject == "":
		return hitl.Erasure{}, errors.New("--source goes with --subject")
	case strings.TrimSpace(c.Reason) == "":
		return hitl.Erasure{}, errors.New("say why with --reason; the log keeps it")
	}
	e := hitl.Erasure{Items: c.Item, Subject: c.Subject, Source: c.Source, By: operator(c.By), Reason: c.Reason}
	return e, e.Check()
}

// operator is who runs a command, as the log keeps it: who they say they are, or the machine's user.
func operator(by string) string {
	if by != "" {
		return by
	}
	if u, err := user.Current(); err == nil && u.Username != "" {
		return "cli/" + u.Username
	}
	return "cli"
}

// ask has a person at a terminal confirm.
func (c *eraseCmd) ask(p program, found audit.ErasableCount) error {
	if c.Yes || !p.terminal {
		return nil
	}
	fmt.Fprintf(p.stderr, "%s, %s to cancel, %s to redraw. This cannot be undone. Erase? [y/N] ",
		plural(found.Items, "item"), plural(found.OpenReviews, "open review"), plural(found.Cards, "card"))
	answer, _ := bufio.NewReader(p.stdin).ReadString('\n') // an end without an answer is no
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer == "y" || answer == "yes" {
		return nil
	}
	return errors.New("nothing was erased")
}

func (c *eraseCmd) print(p program, r eraseReport) error {
	if c.JSON {
		return printJSON(p.stdout, r)
	}
	did := "erased"
	switch {
	case r.Items == 0:
		_, err := fmt.Fprintln(p.stdout, "nothing to erase: there is no such item, or it was erased before")
		return err
	case r.DryRun:
		did = "would be erased"
	}
	_, err := fmt.Fprintf(p.stdout, "%s: %s; %s cancelled, %s redrawn by the running service\n",
		did, plural(r.Items, "item"), plural(r.Cancelled, "open review"), plural(r.Cards, "card"))
	return err
}

// eraseBatch is how many items are erased in one transaction.
const eraseBatch = 100

func newEraser(store *audit.Store, desk *hitl.Desk, logger *slog.Logger) *hitl.Eraser {
	return &hitl.Eraser{Erasures: store, Desk: desk, Batch: eraseBatch, Logger: logger, Now: time.Now}
}
