package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"hitl"
	"hitl/bot/slacksim"
)

// asks types a command and returns what only the user sees then, once it holds the words.
func (w *world) asks(user, text string, words ...string) slacksim.Message {
	w.t.Helper()
	if _, err := w.sim.Command(w.t.Context(), user, reviewChannel, "/hitl", text); err != nil {
		w.t.Fatal(err)
	}
	return w.sees(user, words...)
}

// sees returns the last message that only a user sees, once it holds the words.
func (w *world) sees(user string, words ...string) (m slacksim.Message) {
	w.t.Helper()
	w.eventually(user+" sees "+strings.Join(words, ", "), func() bool {
		all := w.sim.Ephemerals(user)
		if len(all) == 0 {
			return false
		}
		m = all[len(all)-1]
		for _, word := range words {
			if !strings.Contains(m.AllText(), word) {
				return false
			}
		}
		return true
	})
	return m
}

func (w *world) presses(user string, m slacksim.Message, button string) {
	w.t.Helper()
	if _, err := w.sim.Click(w.t.Context(), slacksim.Click{User: user, Channel: m.Channel, TS: m.TS, Text: button}); err != nil {
		w.t.Fatal(err)
	}
}

// skips passes a review on, from its card in the channel.
func (w *world) skips(user string, it item) {
	w.t.Helper()
	w.click(user, w.card(it), "Skip…")
	w.eventually("the form of a skip", func() bool {
		views := w.sim.Views(user)
		return len(views) > 0 && strings.Contains(views[len(views)-1].AllText(), "stays open for others")
	})
	out, err := w.sim.SubmitView(w.t.Context(), slacksim.Submit{User: user, Values: map[string]map[string]slacksim.Input{
		"hitl_reason": {"reason": {Option: "unclear"}},
	}})
	if err != nil || len(out.Errors) > 0 {
		w.t.Fatalf("skip: %+v, %v", out, err)
	}
}

// Two people work a queue through: what one has, the other is not given and cannot decide; what nobody wants becomes urgent, and the owner, who is
// told, gives it to somebody.
func TestDeskStory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) {
		s.Queue = "    owners: {users: [U0CHLOE]}"
	})
	keys := strings.Fields(w.mustHitl("log", "key", "log.example.org"))
	w.appendConfig("audit: {key: \"" + keys[0] + "\", checkpoint_every: 1s}\n")
	first, second := w.post("first", unsureText, http.StatusAccepted), w.post("second", unsureText, http.StatusAccepted)
	w.card(first)
	w.card(second)
	mine := w.asks("U0ANA", "next", "first", "Claimed by <@U0ANA> until")
	w.asks("U0BEN", "next", "second", "Claimed by <@U0BEN> until")
	w.shows(first, "Claimed by <@U0ANA> until")
	w.click("U0BEN", w.card(first), "Accept")
	w.told("U0BEN", "Claimed by <@U0ANA> until")
	w.presses("U0ANA", mine, "Release")
	w.sees("U0ANA", "Released")
	w.skips("U0BEN", second)
	w.skips("U0ANA", second)
	w.eventually("the card is urgent", func() bool { return strings.Contains(w.cardNow(second).AllText(), "*urgent*") })
	w.eventually("the owner is told", func() bool {
		for _, m := range w.sim.Messages(reviewChannel) {
			if strings.Contains(m.Text, "Two people have skipped a review") && strings.Contains(m.Text, "<@U0CHLOE>") {
				return true
			}
		}
		return false
	})
	w.asks("U0BEN", "next", "first")
	w.asks("U0CHLOE", "assign "+second.Review.ID+" <@U0ANA>", "Given to <@U0ANA>")
	list := w.asks("U0ANA", "mine", "You have claimed 1 review", "second")
	w.presses("U0ANA", list, "Open")
	w.presses("U0ANA", w.sees("U0ANA", "Claimed by <@U0ANA>", "Needs a person"), "✓ Accept "+second.AILabel)
	w.sees("U0ANA", "Recorded: ✓", "Next review")
	w.shows(second, "by <@U0ANA>")
	want := []hitl.Status{hitl.HumanReview, hitl.SkippedByOne, hitl.SkippedByOne, hitl.HumanAccepted}
	if got := statuses(w.log(second.ID)); !slices.Equal(got, want) {
		t.Errorf("log: %v, want %v", got, want)
	}
	w.verifies("5 entries, 5 of them bound by")
}
