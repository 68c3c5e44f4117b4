package bot

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"hitl"
	"hitl/bot/slacksim"
)

// Owners see how their queues stand, whether or not they review in them, and nobody else does.
func TestHomeOfOwners(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		w.stats.reply = sampleStats()
		ids := w.addMany(4)
		if _, err := w.bot.cfg.Desk.Decide(t.Context(), hitl.Verdict{
			ReviewID: ids[0], Round: 1, Kind: hitl.Correct, Reviewer: hitl.Reviewer{Team: "T0SLACKSIM", User: ana}, Label: "POSITIVE",
		}); err != nil {
			t.Fatal(err)
		}
		v := text(t, w.openHome(chloe))
		for _, want := range []string{
			"You review no queue", "Your queues", "*`support`*: 3 open, the oldest for 1 h 0 min; *paused*", "Today: 1 decided, review rate 40.0%, correction rate 100.0%",
		} {
			if !strings.Contains(v, want) {
				t.Errorf("%q is missing in %s", want, v)
			}
		}
		if strings.Contains(v, "text number") {
			t.Errorf("an owner who reviews nothing sees texts: %s", v)
		}
		w.inHome(chloe, slacksim.Click{ActionID: actionOwned})
		if v := text(t, w.onTop(chloe)); !strings.Contains(v, "Queue support") || !strings.Contains(v, "normal: 3, the oldest") || !strings.Contains(v, "paused it") {
			t.Errorf("details: %s", v)
		}
		if v := text(t, w.openHome(ana)); strings.Contains(v, "Your queues") || !strings.Contains(v, "text number") {
			t.Errorf("a reviewer who owns nothing sees %s", v)
		}
		w.clean()
	}, func(s *setup) {
		q := s.bot.Queues["support"]
		q.Owners = Owners{Users: []string{chloe}}
		s.bot.Queues["support"] = q
		s.bot.Desk.Pauses = &pauses{of: map[string]hitl.Pause{"support": {Queue: "support", By: "T0SLACKSIM/" + chloe, At: time.Now()}}}
	})
}

// The right to see a queue's details is looked up when somebody clicks, and trouble is told of.
func TestOwnedClickInTrouble(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) {
		q := s.bot.Queues["support"]
		q.Owners = Owners{Users: []string{chloe}}
		s.bot.Queues["support"] = q
	})
	view := func(user, queue string) string {
		_, v := w.bot.ownedView(t.Context(), inEnglish, hitl.Reviewer{Team: "T0SLACKSIM", User: user}, queue)
		b, err := json.Marshal(v.Blocks)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if v := view(ana, "support"); !strings.Contains(v, "Only the owners of the queue `support`") {
		t.Errorf("told %s", v)
	}
	if v := view(chloe, "gone"); !strings.Contains(v, "`gone`") {
		t.Errorf("told %s", v)
	}
	w.store.failing("QueueState", func(context.Context) error { return errors.New("away") })
	if v := view(chloe, "support"); !strings.Contains(v, inEnglish.say("modal.not_loaded")) {
		t.Errorf("told %s", v)
	}
	w.store.failing("Figures", func(context.Context) error { return errors.New("away") })
	if v := text(t, w.openHome(chloe)); !strings.Contains(v, "could not be loaded") {
		t.Errorf("home: %s", v)
	}
}

// Where Slack does not say who the owners are, reviewers see their list all the same.
func TestHomeWithoutOwners(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) {
		q := s.bot.Queues["support"]
		q.Reviewers, q.Owners = Reviewers{Users: []string{ana}}, Owners{Groups: []string{"S0REVIEWERS"}}
		s.bot.Queues["support"] = q
	})
	w.addMany(1)
	if err := w.sim.Fail("usergroups.users.list", slacksim.Fault{Error: "internal_error", Times: 100}); err != nil {
		t.Fatal(err)
	}
	if v := text(t, w.openHome(ana)); !strings.Contains(v, "text number 0") || strings.Contains(v, "Your queues") {
		t.Errorf("home: %s", v)
	}
}
