package bot

import (
	"errors"
	"testing"

	"hitl"
	"hitl/bot/slacksim"
)

func TestRights(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) {
		s.bot.Queues["direct"] = Queue{Channel: channel, Reviewers: Reviewers{Users: []string{chloe, "U0DAN", "U0EVE", "U0HITL", "U0NOBODY"}}}
		s.bot.Queues["orphan"] = Queue{Channel: channel, Reviewers: Reviewers{Groups: []string{"S0GONE"}}}
		s.bot.Queues["mixed"] = Queue{Channel: channel, Reviewers: Reviewers{Groups: []string{"S0GONE", "S0REVIEWERS"}}}
	})
	const team = "T0SLACKSIM"
	for _, tc := range []struct {
		queue, team, user string
		want              bool
	}{
		{"support", team, ana, true},
		{"support", team, chloe, false},
		{"support", "T0OTHER", ana, false},
		{"support", "", ana, false},
		{"direct", team, chloe, true},
		{"direct", team, ana, false},
		{"direct", team, "U0DAN", false},        // deactivated
		{"direct", "T0PARTNER", "U0EVE", false}, // of another workspace
		{"direct", team, "U0EVE", false},        // and whatever the payload says of her
		{"direct", team, "U0HITL", false},       // a bot
		{"direct", team, "U0NOBODY", false},     // unknown to Slack
		{"orphan", team, ana, false},            // the group does not exist
		{"mixed", team, ana, true},              // one does
		{"not configured any more", team, ana, false},
	} {
		err := w.bot.rights.reviewer(t.Context(), hitl.Reviewer{Team: tc.team, User: tc.user}, tc.queue)
		var no *notAllowedError
		if (err == nil) != tc.want || (err != nil && !errors.As(err, &no)) {
			t.Errorf("%+v: %v", tc, err)
		}
	}
}

// What Slack does not say is no refusal: the reviewer is told to try again.
func TestRightsUnknown(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"auth.test", "usergroups.users.list", "users.info"} {
		w := newWorld(t)
		if err := w.sim.Fail(method, slacksim.Fault{Status: 500}); err != nil {
			t.Fatal(err)
		}
		me := hitl.Reviewer{Team: "T0SLACKSIM", User: ana}
		var no *notAllowedError
		if err := w.bot.rights.reviewer(t.Context(), me, "support"); err == nil || errors.As(err, &no) {
			t.Errorf("%s: %v", method, err)
		}
		if err := w.bot.rights.reviewer(t.Context(), me, "support"); err != nil {
			t.Errorf("%s, second try: %v", method, err)
		}
	}
}
