package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// Check is something that must be so at the end.
type Check struct {
	What string `json:"what"`
	Want int64  `json:"want"`
	Got  int64  `json:"got"`
	Said string `json:"said,omitempty"` // why not
	OK   bool   `json:"ok"`
}

func equal(what string, got, want int64) Check {
	return Check{What: what, Want: want, Got: got, OK: got == want}
}

// noProgress is how long nothing may happen before what still waits counts as stuck: longer than decisions can be undone.
const noProgress = soakUndo + 90*time.Second

// settle waits until people have decided everything, every callback is delivered, and the log's tree is whole. What gets stuck is no error here: the
// checks will find it.
func (s *sampler) settle(ctx context.Context, r *SoakReport) error {
	begin, moved, least := time.Now(), time.Now(), -1.0
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		v := map[string]float64{}
		if err := s.waiting(ctx, v); err != nil {
			return err
		}
		left := v["reviews pending"] + v["callbacks pending"] + v["jobs pending"] + v["log entries outside the tree"]
		r.Settled = time.Since(begin).Seconds()
		if left == 0 {
			return nil
		}
		if least < 0 || left < least {
			least, moved = left, time.Now()
		}
		if time.Since(moved) > noProgress {
			s.say("  stuck: %.0f reviews, %.0f callbacks, %.0f jobs, %.0f log entries", v["reviews pending"], v["callbacks pending"], v["jobs pending"],
				v["log entries outside the tree"])
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// check holds what clients, people and the upstream saw against what Postgres says.
func (b *bench) check(ctx context.Context, svc *service, l *load, got *receipts, people *reviewers, r *SoakReport) error {
	conn, err := b.connect(ctx, svc.database)
	if err != nil {
		return err
	}
	var items, reviewed, open, decisions, callbacks, delivered, entries, tree int64
	err = conn.QueryRow(ctx, `
		SELECT (SELECT count(*) FROM hitl.items), (SELECT count(*) FROM hitl.reviews), (SELECT count(*) FROM hitl.reviews WHERE state = 'open'),
		    (SELECT count(*) FROM hitl.decisions), (SELECT count(*) FROM hitl.callbacks), (SELECT count(*) FROM hitl.callbacks WHERE state = 'delivered'),
		    (SELECT count(*) FROM hitl.log), (SELECT size FROM hitl.log_tree)`,
	).Scan(&items, &reviewed, &open, &decisions, &callbacks, &delivered, &entries, &tree)
	if err != nil {
		return err
	}
	failed, first := l.failures()
	badClicks, firstClick := people.failures()
	r.Items, r.Reviews, r.Entries, r.Repeated = items, reviewed, entries, got.repeated()
	r.Warnings, r.LastWarning = warnings(b.logs[svc.url])
	calls := svc.slack.sim.Calls("")
	for _, c := range calls {
		if c.Error == "ratelimited" {
			r.RateLimited++
		}
	}
	failedCheck := equal("requests that failed", failed, 0)
	failedCheck.Said = text(first)
	clickCheck := equal("clicks that failed", badClicks, 0)
	clickCheck.Said = text(firstClick)
	r.Checks = []Check{
		failedCheck,
		equal("arrivals that were posted", l.answered+failed, r.Posted),
		equal("items in Postgres, of those that were answered", items, l.answered),
		equal("reviews that are still open", open, 0),
		clickCheck,
		equal("decisions, of clicks that were ticked", decisions, people.ticked.Load()),
		equal("callbacks, of items", callbacks, items),
		equal("callbacks marked as delivered", delivered, callbacks),
		equal("items whose callback came", got.distinct(), items),
		equal("entries of the log in its tree", tree, entries),
		b.verifies(ctx, svc, r),
	}
	return ctx.Err()
}

// verifies runs hitl verify.
func (b *bench) verifies(ctx context.Context, svc *service, r *SoakReport) Check {
	b.say("verifying the log")
	begin := time.Now()
	out, err := exec.CommandContext(ctx, b.bin, "--config", svc.config, "verify").CombinedOutput()
	r.VerifySeconds = time.Since(begin).Seconds()
	c := Check{What: "hitl verify", OK: err == nil}
	if err != nil {
		c.Said = text(errors.Join(err, errors.New(strings.TrimSpace(string(out)))))
	}
	return c
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// failure is why a soak has failed: something was lost, or refused. Slopes are no failure.
func (r *SoakReport) failure() error {
	var errs []error
	for _, c := range r.Checks {
		if !c.OK {
			errs = append(errs, errors.New(c.words()))
		}
	}
	return errors.Join(errs...)
}

func (c Check) words() string {
	words := c.What
	if c.Want != c.Got {
		words = fmt.Sprintf("%s: %d, want %d", c.What, c.Got, c.Want)
	}
	if c.Said != "" {
		words += ": " + c.Said
	}
	return words
}

// countLines returns how many lines there are, and the last.
func countLines(data []byte) (n int, last string) {
	for line := range bytes.Lines(data) {
		n, last = n+1, strings.TrimSpace(string(line))
	}
	return n, last
}
