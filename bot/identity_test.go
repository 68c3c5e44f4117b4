package bot

import (
	"errors"
	"strings"
	"testing"

	"hitl"
	"hitl/bot/slacksim"
)

// grid is a workspace of an organisation, in which the app is installed as a whole when orgWide says so.
func grid(orgWide bool) func(*setup) {
	return func(s *setup) {
		socket, grace := s.sim.SocketMode, s.sim.SocketGrace
		s.sim = slacksim.DemoEnterprise()
		s.sim.SocketMode, s.sim.SocketGrace, s.sim.Rates = socket, grace, slacksim.RatesOff
		s.sim.Enterprise.OrgWide = orgWide
		s.bot.Team = "E0SLACKSIM"
	}
}

// Whatever somebody of an organisation clicks, it is one person who did it: a card's button, a form, the command, the home tab.
func TestOnePersonOnGrid(t *testing.T) {
	t.Parallel()
	for name, orgWide := range map[string]bool{"in the workspace": false, "in the organisation": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			overBoth(t, func(t *testing.T, w *world) {
				const wana = "W0ANA"
				want := hitl.Reviewer{Team: "T0SLACKSIM", User: wana}
				by := func(what, review string) {
					t.Helper()
					if d, ok := w.store.decision(review); !ok || d.Reviewer != want {
						t.Errorf("%s: decided %+v, told %q", what, d, w.whispered(wana))
					}
				}
				rec, m := w.posted()
				w.click(wana, m, actionAccept)
				by("button", rec.Review.ID)

				rec, m = w.posted()
				w.click(wana, m, actionClaim)
				w.opened(wana, m, actionOther)
				w.submit(wana, "POSITIVE", "", "")
				by("form after a claim", rec.Review.ID)

				rec = w.add()
				if out := w.command(wana, "next"); out.Error != "" {
					t.Fatalf("next: %+v", out)
				}
				after, err := w.store.Review(t.Context(), rec.Review.ID)
				if err != nil || after.Review.ClaimedBy != want {
					t.Errorf("next claimed for %+v, %v, told %q", after.Review.ClaimedBy, err, w.whispered(wana))
				}
				if v := text(t, w.openHome(wana)); strings.Contains(v, "You review no queue") {
					t.Errorf("home tab: %s", v)
				}
				rec, m = w.posted()
				w.click("W0EVE", m, actionAccept)
				if d, ok := w.store.decision(rec.Review.ID); ok {
					t.Errorf("a stranger decided: %+v", d)
				}
				w.clean()
			}, grid(orgWide))
		})
	}
}

// What Slack names is brought to one team: the workspace's, the organisation's and a sister workspace's, and a stranger's never.
func TestIdentify(t *testing.T) {
	t.Parallel()
	w := newWorld(t, grid(false), func(s *setup) {
		q := s.bot.Queues["support"]
		q.Reviewers.Users = []string{"W0CHLOE", "W0DAN", "W0EVE"}
		s.bot.Queues["support"] = q
	})
	for _, tc := range []struct {
		team, user, want string
		may              bool
	}{
		{"T0SLACKSIM", "W0CHLOE", "T0SLACKSIM", true},
		{"E0SLACKSIM", "W0CHLOE", "T0SLACKSIM", true},
		{"T0SISTER", "W0CHLOE", "T0SLACKSIM", true},  // from where they sit, another workspace of the organisation
		{"T0SISTER", "W0DAN", "T0SISTER", false},     // deactivated
		{"T0PARTNER", "W0EVE", "T0PARTNER", false},   // a stranger
		{"E0SLACKSIM", "W0EVE", "T0SLACKSIM", false}, // whatever the payload says of her
		{"T0SISTER", "W0NOBODY", "T0SISTER", false},  // unknown to Slack
		{"", "W0CHLOE", "", false},                   // from nowhere
		{"T0SISTER", "W0BEN", "T0SLACKSIM", true},    // through a user group
		{"T0PARTNER", "U0HITL", "T0PARTNER", false},  // a bot
	} {
		who, err := w.bot.rights.identify(t.Context(), hitl.Reviewer{Team: tc.team, User: tc.user})
		if want := (hitl.Reviewer{Team: tc.want, User: tc.user}); err != nil || who != want {
			t.Errorf("%+v: %+v, %v", tc, who, err)
		}
		err = w.bot.rights.reviewer(t.Context(), who, "support")
		var no *notAllowedError
		if (err == nil) != tc.may || err != nil && !errors.As(err, &no) {
			t.Errorf("%+v: %v", tc, err)
		}
	}
	w.clean()
}

// Somebody of whom Slack does not say where they belong is told to try again, and does not become another person meanwhile.
func TestIdentifyUnknown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, grid(false))
	if err := w.sim.Fail("users.info", slacksim.Fault{Status: 500}); err != nil {
		t.Fatal(err)
	}
	sister := hitl.Reviewer{Team: "T0SISTER", User: "W0ANA"}
	if who, err := w.bot.rights.identify(t.Context(), sister); err == nil || who != sister {
		t.Fatalf("%+v, %v", who, err)
	}
	if err := w.bot.rights.reviewer(t.Context(), sister, "support"); !errors.Is(err, errUnidentified) {
		t.Errorf("under the name that was not believed: %v", err)
	}
	who, err := w.bot.rights.identify(t.Context(), sister)
	if err != nil || who.Team != "T0SLACKSIM" {
		t.Fatalf("%+v, %v", who, err)
	}
	if err := w.bot.rights.reviewer(t.Context(), who, "support"); err != nil {
		t.Error(err)
	}
}
