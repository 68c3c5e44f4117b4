package bot

import (
	"strings"
	"testing"
	"time"

	"hitl"
)

func sampleOverview(zone *time.Location) overview {
	s := sampleStats()
	s.Reviewed, s.Decisions = 900, 1200
	return overview{
		name: "support", queue: Queue{Channel: channel, Reviewers: Reviewers{Users: []string{ana}, MembersOf: channel}, Owners: Owners{Users: []string{ana}}},
		rules: sampleTerms(), zone: zone, now: testTime, waiting: 30, today: sampleStats(), day: s,
		state: hitl.QueueState{
			Open: map[hitl.Priority]hitl.QueueWait{
				hitl.PriorityUrgent: {Open: 2, OldestAge: 26 * time.Hour}, hitl.PriorityNormal: {Open: 40, OldestAge: 3 * time.Hour},
			},
			Claimed: 1, Reminded: 3, Escalated: 1, NextExpiry: testTime.Add(time.Hour),
		},
	}
}

// growing is a queue that is paused, grows, and is judged in every way there is.
func growing(o overview) overview {
	o.day.Reviewed = 3000
	o.name, o.queue.Reviewers.Users = hostile, nil
	o.pause = &hitl.Pause{By: "T0SLACKSIM/" + ana, At: testTime, Reason: hostile}
	o.rules.Panel, o.rules.BlindShare, o.rules.Hours = hitl.PanelRules{Reviewers: 3, Share: 0.25}, 0.1, hitl.Hours{}
	for range 1000 {
		o.queue.Owners.Users = append(o.queue.Owners.Users, ana)
	}
	return o
}

func TestFlow(t *testing.T) {
	t.Parallel()
	day := func(arrived, done int) hitl.Stats {
		return hitl.Stats{Since: testTime.Add(-24 * time.Hour), Until: testTime, Reviewed: arrived, Decisions: done}
	}
	for name, tc := range map[string]struct {
		s    hitl.Stats
		open int
		want flow
	}{
		"empties":        {day(240, 480), 100, flow{10, 20, 5 * time.Hour, 10 * time.Hour}},
		"grows":          {day(480, 240), 100, flow{20, 10, 10 * time.Hour, 0}},
		"stands still":   {day(240, 240), 100, flow{10, 10, 10 * time.Hour, 0}},
		"nothing moves":  {day(0, 0), 100, flow{}},
		"nothing waits":  {day(24, 48), 0, flow{1, 2, 0, 0}},
		"no period":      {hitl.Stats{Reviewed: 3, Decisions: 5}, 100, flow{}},
		"lasts for ever": {day(0, 1), 1 << 40, flow{0, 1.0 / 24, longest, longest}},
	} {
		if got := flowOf(tc.s, tc.open); got != tc.want {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
}

func TestQueueNamed(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		w.add()
		w.stats.reply = sampleStats()
		w.command(chloe, "queue support")
		all := w.sim.Ephemerals(chloe)
		if len(all) != 1 || !hasChart(all[0]) {
			t.Fatalf("answers: %+v", all)
		}
		for _, want := range []string{"normal: 1, the oldest for 1 h 0 min", "1 waits for a card.", "<!subteam^S0REVIEWERS>", "It has no owners.", "One person decides"} {
			if text := all[0].AllText(); !strings.Contains(text, want) {
				t.Errorf("%q is missing in %s", want, text)
			}
		}
		if n := len(w.stats.asked); n != 2 || w.stats.asked[1].Until.Sub(w.stats.asked[1].Since) != 24*time.Hour || w.stats.asked[0].Queue != "support" {
			t.Errorf("asked: %+v", w.stats.asked)
		}
		w.command(chloe, "queue billing")
		if words := w.whispered(chloe); !strings.Contains(words, "`billing` is not a queue; there are `support`.") {
			t.Errorf("told %q", words)
		}
		w.clean()
	})
}
