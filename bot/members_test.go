package bot

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hitl"
	"hitl/bot/slacksim"
)

// byMembers has the channel's members review, and nobody else.
func byMembers(s *setup) {
	q := s.bot.Queues["support"]
	q.Reviewers = Reviewers{MembersOf: channel}
	s.bot.Queues["support"] = q
}

// Who is in the channel reviews, by card, command and home tab; bots, strangers, deactivated accounts and people who are elsewhere do not.
func TestChannelMembersReview(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byMembers, func(s *setup) {
		demo := slacksim.DemoWorkspace()
		s.sim.Users, s.sim.Groups, s.sim.Channels = demo.Users, demo.Groups, demo.Channels
		s.sim.Users = append(s.sim.Users, slacksim.User{ID: "U0OUT", Name: "out"}, slacksim.User{ID: "U0BOT", Name: "bot", Bot: true})
		s.sim.Channels[0].Members = append(s.sim.Channels[0].Members, "U0DAN", "U0BOT")
	})
	for user, may := range map[string]bool{
		ana: true, chloe: true, "U0DAN": false, "U0EVE": false, "U0BOT": false, "U0HITL": false, "U0OUT": false, "U0NOBODY": false,
	} {
		var no *notAllowedError
		err := w.bot.rights.reviewer(t.Context(), hitl.Reviewer{Team: "T0SLACKSIM", User: user}, "support")
		if (err == nil) != may || err != nil && !errors.As(err, &no) {
			t.Errorf("%s: %v", user, err)
		}
	}
	rec, m := w.posted()
	w.click(chloe, m, actionAccept)
	if d, ok := w.store.decision(rec.Review.ID); !ok || d.Reviewer.User != chloe {
		t.Errorf("decided %+v, told %q", d, w.whispered(chloe))
	}
	rec = w.add()
	w.command(chloe, "next")
	if got := w.holder(rec); got != chloe {
		t.Errorf("next: held by %q, told %q", got, w.whispered(chloe))
	}
	if v := text(t, w.openHome(chloe)); strings.Contains(v, "You review no queue") {
		t.Errorf("home tab: %s", v)
	}
	if n := len(w.sim.Calls(readMembers)); n != 1 {
		t.Errorf("%d calls of %s, want one that is remembered", n, readMembers)
	}
	w.clean()
}

// A large channel is read page by page, and the largest ones not to their end.
func TestManyChannelMembers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		people, pages, read int
		all                 bool
	}{{449, 3, 450, true}, {maxMembers + 50, maxMembers / memberPage, maxMembers, false}} {
		w := newWorld(t, byMembers, func(s *setup) {
			c := slacksim.Channel{ID: channel, Name: "review", Members: []string{"U0HITL"}}
			for i := range tc.people {
				id := fmt.Sprintf("U0P%05d", i)
				s.sim.Users = append(s.sim.Users, slacksim.User{ID: id, Name: strings.ToLower(id)})
				c.Members = append(c.Members, id)
			}
			s.sim.Channels = []slacksim.Channel{c}
		})
		users, all, err := w.bot.api.channelMembers(t.Context(), channel)
		if err != nil || len(users) != tc.read || all != tc.all || len(w.sim.Calls(readMembers)) != tc.pages {
			t.Errorf("%+v: %d members, all %v, %d calls, %v", tc, len(users), all, len(w.sim.Calls(readMembers)), err)
		}
		w.clean()
	}
}

// What Slack does not say is no refusal, and what it said last counts for a while: a channel that cannot be read locks nobody out at once.
func TestChannelMembersUnknown(t *testing.T) {
	t.Parallel()
	var clock movable
	w := newWorld(t, byMembers, func(s *setup) { s.bot.Now, s.sim.Now = clock.now, clock.now })
	me, fail := hitl.Reviewer{Team: "T0SLACKSIM", User: chloe}, func() {
		t.Helper()
		if err := w.sim.Fail(readMembers, slacksim.Fault{Status: 500}); err != nil {
			t.Fatal(err)
		}
	}
	fail()
	var no *notAllowedError
	if err := w.bot.rights.reviewer(t.Context(), me, "support"); err == nil || errors.As(err, &no) {
		t.Errorf("unknown: %v", err)
	}
	if err := w.bot.rights.reviewer(t.Context(), me, "support"); err != nil {
		t.Errorf("second try: %v", err)
	}
	fail()
	clock.add(6 * time.Minute)
	if err := w.bot.rights.reviewer(t.Context(), me, "support"); err != nil {
		t.Errorf("remembered: %v", err)
	}
	w.sim.SetScopes(Scopes(Needs{})...)
	clock.add(time.Hour)
	if err := w.bot.rights.reviewer(t.Context(), me, "support"); err == nil || errors.As(err, &no) || refusal(err) != "missing_scope" {
		t.Errorf("without the scopes: %v", err)
	}
}

// movable is the time, moved on by a test. Its zero value is the time as it is.
type movable struct{ ahead atomic.Int64 }

func (m *movable) now() time.Time { return time.Now().Add(time.Duration(m.ahead.Load())) }

func (m *movable) add(d time.Duration) { m.ahead.Add(int64(d)) }

// The examination looks at channels whose members review, and at the scopes that it takes; the manifest asks for them.
func TestDoctorLooksAtChannelMembers(t *testing.T) {
	t.Parallel()
	newClinic(t, byMembers).only("members of "+channel, Good, "review support: members: 5; ana is active", "")

	lacks := newClinic(t, byMembers, func(s *setup) { s.sim.Scopes = Scopes(Needs{}) })
	found := lacks.examine()
	if c := found["scopes"]; c.State != Bad || !strings.Contains(c.Mend, "add channels:read, groups:read") {
		t.Errorf("scopes: %+v", c)
	}
	if c := found["members of "+channel]; c.State != Open || !strings.Contains(c.Mend, "channels:read and groups:read") {
		t.Errorf("members: %+v", c)
	}
	if got := NewManifest(nil, lacks.cfg.Needs()).OAuth.Scopes.Bot; !slices.Contains(got, "channels:read") || !slices.Contains(got, "groups:read") {
		t.Errorf("the manifest asks for %v", got)
	}
}
