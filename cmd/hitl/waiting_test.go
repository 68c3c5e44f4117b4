package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"hitl"
	"hitl/bot/slacksim"
	"hitl/config"
)

// said returns the messages of a channel that hold all words.
func (w *world) said(channel string, words ...string) []slacksim.Message {
	var out []slacksim.Message
	for _, m := range w.sim.Messages(channel) {
		if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(m.AllText(), word) }) {
			out = append(out, m)
		}
	}
	return out
}

// A review that nobody decides is reminded of, moves to others, and gets its queue's answer in the end, each once and however often the service is
// started anew.
func TestWaitingStory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) {
		s.Queue = `    sla: {remind_after: 1s, escalate_after: 8s, escalate_to: {channel: C0REVIEW, group: S0REVIEWERS, queue: seniors}}
  seniors:
    channel: C0ESCALATE
    reviewers: {users: [U0ANA]}
    sla: {expire_as: "label:POSITIVE"}
    expire_after: 12s`
	})
	keys := strings.Fields(w.mustHitl("log", "key", "log.example.org"))
	w.appendConfig("audit: {key: \"" + keys[0] + "\", checkpoint_every: 1s}\n")
	it := w.post("first", unsureText, http.StatusAccepted)
	w.card(it)
	w.eventually("the channel is reminded", func() bool {
		return len(w.said(reviewChannel, "1 review in `support` is still waiting", "Open its card")) == 1
	})
	w.stop()
	w.start()
	w.eventually("others are told", func() bool {
		return len(w.said(reviewChannel, "1 review in `support` has waited too long", "Now in `seniors`", "<!subteam^S0REVIEWERS>")) == 1
	})
	w.eventually("the card says that the review has moved", func() bool {
		return len(w.said(reviewChannel, "This review has moved to `seniors` in <#C0ESCALATE>.")) == 1
	})
	w.eventually("it has a card there", func() bool { return len(w.said("C0ESCALATE", "*urgent*", "first")) == 1 })
	w.eventually("nobody decided in time", func() bool { return w.get(it.ID).Status == hitl.Expired })
	w.eventually("the card says what it counts as", func() bool { return len(w.said("C0ESCALATE", "it counts as `POSITIVE`")) == 1 })
	if got := w.calledBack(it); got.Status != hitl.Expired || got.Label != "POSITIVE" {
		t.Errorf("called back with %s %q", got.Status, got.Label)
	}
	if got, want := statuses(w.log(it.ID)), []hitl.Status{hitl.HumanReview, hitl.Escalated, hitl.Expired}; !slices.Equal(got, want) {
		t.Errorf("log: %v, want %v", got, want)
	}
	for _, words := range []string{"is still waiting", "has waited too long"} {
		if n := len(w.said(reviewChannel, words)); n != 1 {
			t.Errorf("%q was said %d times", words, n)
		}
	}
	w.verifies("3 entries, 3 of them bound by")
}

// An owner stops a queue in Slack and an operator lets it go on: meanwhile items come in, no card is posted, and what is on a card can be decided.
func TestPauseStory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) { s.Queue = "    owners: {users: [U0CHLOE]}" })
	before := w.post("before", unsureText, http.StatusAccepted)
	w.card(before)
	w.asks("U0ANA", "pause support", "Only the owners of the queue `support` can do that.")
	w.asks("U0CHLOE", "pause support stocktaking", "`support` is paused.")
	w.eventually("the channel is told", func() bool {
		return len(w.said(reviewChannel, "<@U0CHLOE> has paused `support`", "Reason: stocktaking")) == 1
	})
	w.post("during", unsureText, http.StatusAccepted)
	w.click("U0ANA", w.card(before), "Accept")
	w.shows(before, "by <@U0ANA>")
	if !strings.Contains(w.mustHitl("queue", "list"), "by T0SLACKSIM/U0CHLOE") {
		t.Error("hitl queue list does not say that the queue is paused")
	}
	if metrics := string(w.request(http.MethodGet, w.metrics+"/metrics", nil, nil).body); !strings.Contains(metrics, `hitl_queue_paused{queue="support"} 1`) {
		t.Error("the metrics do not say that the queue is paused")
	}
	w.asks("U0CHLOE", "queue", "*paused*")
	if n := len(w.said(reviewChannel, "during")); n != 0 {
		t.Errorf("%d cards were posted in a paused queue", n)
	}
	if out := w.mustHitl("queue", "resume", "support", "--by", "cli/ops"); !strings.Contains(out, "queue support goes on") {
		t.Errorf("resume says %q", out)
	}
	w.eventually("the card is posted", func() bool { return len(w.said(reviewChannel, "during")) == 1 })
	w.eventually("the channel is told", func() bool { return len(w.said(reviewChannel, "`cli/ops` has let `support` go on")) == 1 })
	if _, err := w.hitl("queue", "resume", "support"); err == nil || !strings.Contains(fmt.Sprint(err), "is not paused") {
		t.Errorf("resumed twice: %v", err)
	}
	if _, err := w.hitl("queue", "pause", "nowhere"); err == nil || !strings.Contains(fmt.Sprint(err), "there are [support]") {
		t.Errorf("a queue that is not there: %v", err)
	}
}

// A label that no model has is a slip, and nothing is served until it is mended.
func TestQueueLabelsAreKnown(t *testing.T) {
	t.Parallel()
	cfg := &config.Config{Queues: map[string]config.Queue{
		"a": {Distressing: []string{"SPAM", "HAM"}, SLA: config.SLA{ExpireAs: "label:SPAN"}},
		"b": {SLA: config.SLA{ExpireAs: "label:HAM"}},
		"c": {SLA: config.SLA{ExpireAs: "ai_label"}},
	}}
	err := checkQueueLabels(cfg, map[string][]string{"mail": {"SPAM"}, "chat": {"HAM", "OTHER"}})
	if want := `queues.a.sla.expire_as: no classifier has a label "SPAN"`; fmt.Sprint(err) != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// The week's figures are posted once, however often the service starts.
func TestDigestStory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) {
		s.Queue = "    digest: " + strings.ToLower(time.Now().UTC().Weekday().String()[:3]) + " 00:00"
	})
	w.eventually("the digest", func() bool { return len(w.said(reviewChannel, "The week in support")) == 1 })
	w.stop()
	w.start()
	it := w.post("first", unsureText, http.StatusAccepted)
	w.card(it) // the service is at work
	if n := len(w.said(reviewChannel, "The week in support")); n != 1 {
		t.Errorf("%d digests", n)
	}
}
