package bot

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/slack-go/slack"

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

// payload is an interactivity payload as Slack sends it, with the people and places as they are given.
func (w *world) payload(t *testing.T, p map[string]any) (status int, body string) {
	t.Helper()
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	res := w.send("/slack/interactivity", url.Values{"payload": {string(raw)}}.Encode(), true)
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(answer)
}

// Nobody decides or sees anything who is not a reviewer at work in this workspace, however they are named, whatever they press; and everybody
// who presses something reads why.
func TestNobodyElseGetsIn(t *testing.T) {
	t.Parallel()
	const team = "T0SLACKSIM"
	w := newWorld(t, hiding, func(s *setup) {
		q := s.bot.Queues["support"]
		q.Reviewers.Users = []string{"U0DAN", "U0EVE", "U0HITL", "U0NOBODY", "W0GRID"}
		s.bot.Queues["support"] = q
	})
	rec, m := w.posted(private)
	value := func(action string) string {
		e, ok := m.Element(action)
		if !ok {
			t.Fatalf("no %s", action)
		}
		return e.Value
	}
	for i, who := range []map[string]any{
		{"user": map[string]any{"id": chloe, "team_id": team}, "team": map[string]any{"id": team}},                // no reviewer
		{"user": map[string]any{"id": "U0EVE", "team_id": "T0PARTNER"}, "team": map[string]any{"id": team}},       // a stranger in a shared channel
		{"user": map[string]any{"id": "U0EVE", "team_id": team}, "team": map[string]any{"id": team}},              // the same, as Slack may put it
		{"user": map[string]any{"id": "U0EVE"}, "team": map[string]any{"id": team}},                               // and again
		{"user": map[string]any{"id": ana, "team_id": "T0PARTNER"}, "team": map[string]any{"id": team}},           // a reviewer's id elsewhere
		{"user": map[string]any{"id": "U0DAN", "team_id": team}, "team": map[string]any{"id": team}},              // deactivated
		{"user": map[string]any{"id": "U0HITL", "team_id": team}, "team": map[string]any{"id": team}},             // a bot
		{"user": map[string]any{"id": "U0NOBODY", "team_id": team}, "team": map[string]any{"id": team}},           // unknown to Slack
		{"user": map[string]any{"id": "W0GRID", "team_id": "E0ORG"}, "enterprise": map[string]any{"id": "E0ORG"}}, // of an organisation that is not ours
		{"user": map[string]any{"id": ana}, "team": nil, "enterprise": map[string]any{"id": "E0ORG"}},
		{"user": map[string]any{"id": ana}, "team": nil, "enterprise": nil},
	} {
		for _, action := range []string{actionAccept, actionLabel + "0"} {
			p := maps.Clone(who)
			p["type"], p["actions"] = "block_actions", []any{map[string]any{"action_id": action, "value": value(action)}}
			p["container"] = map[string]any{"message_ts": m.TS, "channel_id": channel}
			before := len(w.sim.Calls("chat.postEphemeral"))
			if status, _ := w.payload(t, p); status != 200 || len(w.sim.Calls("chat.postEphemeral")) != before+1 {
				t.Errorf("%d, %s: status %d, or not answered", i, action, status)
			}
		}
		meta := viewData{Ref: ref{Review: rec.Review.ID, Round: 1}.String(), Channel: channel, TS: m.TS}.String()
		p := maps.Clone(who)
		p["type"], p["view"] = "view_submission", map[string]any{
			"id": "V1", "callback_id": viewCorrect, "private_metadata": meta,
			"state": map[string]any{"values": map[string]any{blockLabel: map[string]any{fieldLabel: map[string]any{
				"selected_option": map[string]any{"value": labelKey("POSITIVE")},
			}}}},
		}
		if status, body := w.payload(t, p); status != 200 || !strings.Contains(body, "Not recorded") {
			t.Errorf("%d, form: status %d, %s", i, status, body)
		}
		p["type"], p["action_id"], p["view"] = "block_suggestion", fieldLabel, map[string]any{"private_metadata": meta}
		if status, body := w.payload(t, p); status != 200 || strings.Contains(body, "POSITIVE") {
			t.Errorf("%d, labels: status %d, %s", i, status, body)
		}
		v := w.opened(chloe, m, actionText) // a modal that can be written into
		p["type"], p["view"] = "block_actions", map[string]any{"id": v.ID, "private_metadata": meta}
		p["actions"] = []any{map[string]any{"action_id": actionReveal, "value": value(actionReveal)}}
		if status, _ := w.payload(t, p); status != 200 || strings.Contains(w.top(chloe).AllText(), mask) {
			t.Errorf("%d, reveal: status %d", i, status)
		}
		w.closeViews(chloe)
	}
	if d, ok := w.store.decision(rec.Review.ID); ok || len(w.store.revealed()) > 0 {
		t.Errorf("decided %+v, revealed %+v", d, w.store.revealed())
	}
	w.seesNothing()
	w.clean()
}

// What a form or a button says of its review is only where to look: the review's own queue says who may.
func TestForgedReferences(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) {
		s.bot.Queues["board"] = Queue{Channel: channel, Reviewers: Reviewers{Users: []string{chloe}}}
	})
	secret := newRecord("rev_board", func(r *hitl.Record) { r.Review.Queue = "board" })
	w.store.put(secret)
	w.posted()
	anaIs := func(p map[string]any) map[string]any {
		p["user"], p["team"] = map[string]any{"id": ana, "team_id": "T0SLACKSIM"}, map[string]any{"id": "T0SLACKSIM"}
		return p
	}
	form := func(meta string) map[string]any {
		return anaIs(map[string]any{"type": "view_submission", "view": map[string]any{
			"id": "V1", "callback_id": viewCorrect, "private_metadata": meta,
			"state": map[string]any{"values": map[string]any{blockLabel: map[string]any{fieldLabel: map[string]any{
				"selected_option": map[string]any{"value": labelKey("POSITIVE")},
			}}}},
		}})
	}
	for meta, want := range map[string]string{
		viewData{Ref: "rev_board.1"}.String():     "not a reviewer",
		viewData{Ref: "rev_nowhere.1"}.String():   "no review that I know",
		viewData{Ref: "rev_board.1.x"}.String():   "no review that I know",
		viewData{Ref: "'; DROP TABLE--"}.String(): "no review that I know",
		"": "no review that I know", "[1]": "no review that I know", strings.Repeat("{", 3000): "no review that I know",
	} {
		if status, body := w.payload(t, form(meta)); status != 200 || !strings.Contains(body, want) {
			t.Errorf("%q: status %d, %s", meta, status, body)
		}
	}
	key := labelKey("POSITIVE")
	for value, want := range map[string]string{
		"rev_board.1." + key: "not a reviewer", "rev_nowhere.1." + key: "no review that I know", "rev_board.1." + key[1:]: "no review that I know",
		"rev_board": "no review that I know", "": "no review that I know", "rev_board.1": "no review that I know",
		"rev_board.99999999999999999999." + key: "no review that I know",
	} {
		p := anaIs(map[string]any{"type": "block_actions", "actions": []any{map[string]any{"action_id": actionAccept, "value": value}}})
		p["container"] = map[string]any{"channel_id": channel}
		if status, _ := w.payload(t, p); status != 200 || !strings.Contains(w.whispered(ana), want) {
			t.Errorf("%q: status %d, told %q", value, status, w.whispered(ana))
		}
	}
	if d, ok := w.store.decision("rev_board"); ok {
		t.Errorf("decided: %+v", d)
	}
	w.clean()
}

// A queue's reviewers are those of the configuration that runs now, also for cards that were posted before.
func TestReviewersOfTheMoment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec, m := w.posted()
	moved, _ := w.posted()
	moved.Review.Queue = "elsewhere"
	w.store.put(moved)
	w.bot.rights.queues = map[string]Queue{"support": {Channel: channel, Reviewers: Reviewers{Users: []string{chloe}}}}
	w.click(ana, m, actionAccept)
	if words := w.whispered(ana); !strings.Contains(words, "not a reviewer") {
		t.Errorf("told %q", words)
	}
	for _, c := range w.store.of(moved.Review.ID) {
		w.click(chloe, w.message(c.TS), actionAccept)
	}
	if words := w.whispered(chloe); !strings.Contains(words, "not configured any more") {
		t.Errorf("told %q", words)
	}
	w.click(chloe, m, actionAccept)
	if d, ok := w.store.decision(rec.Review.ID); !ok || d.Reviewer.User != chloe {
		t.Errorf("decision: %+v", d)
	}
	if _, ok := w.store.decision(moved.Review.ID); ok {
		t.Error("decided in a queue that is gone")
	}
	w.clean()
}

// Figures are for members: no strangers, no guests, nobody who has left. Guests may review where somebody named them.
func TestCommandsOfStrangers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) {
		s.sim = slacksim.DemoWorkspace()
		s.sim.Rates = slacksim.RatesOff
		s.sim.Users = append(s.sim.Users, slacksim.User{ID: "U0GUS", Name: "gus", Guest: true})
		s.sim.Channels[0].Members = append(s.sim.Channels[0].Members, "U0GUS")
		s.bot.Queues["support"] = Queue{Channel: channel, Reviewers: Reviewers{Users: []string{"U0GUS"}}}
	})
	for user, want := range map[string]string{"U0EVE": "members of this workspace", "U0GUS": "Guests"} {
		for _, words := range []string{"stats", "queue"} {
			if out := w.command(user, words); out.Status != 200 || !strings.Contains(w.whispered(user), want) {
				t.Errorf("%s, %s: %+v, told %q", user, words, out, w.whispered(user))
			}
		}
	}
	for _, user := range []string{"U0DAN", "U0HITL", "U0NOBODY", "U0EVE"} {
		body := url.Values{"command": {"/hitl"}, "text": {"stats"}, "user_id": {user}, "team_id": {"T0SLACKSIM"}, "channel_id": {channel}}.Encode()
		res := w.send("/slack/commands", body, true)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d", user, res.StatusCode)
		}
	}
	if len(w.stats.asked) != 0 {
		t.Errorf("asked %v", w.stats.asked)
	}
	if w.command(ana, "stats"); len(w.stats.asked) != 1 {
		t.Error("a member's command was not carried out; the test tests nothing")
	}
	rec, m := w.posted()
	w.click("U0GUS", m, actionAccept)
	if _, ok := w.store.decision(rec.Review.ID); !ok {
		t.Errorf("a guest who is a reviewer was told %q", w.whispered("U0GUS"))
	}
	w.clean()
}

// In an organisation (Enterprise Grid) a person comes from this workspace, from the organisation or from a sister workspace, and users.info says
// who does.
func TestRightsInAnOrganisation(t *testing.T) {
	t.Parallel()
	self := &slack.AuthTestResponse{TeamID: "T0SLACKSIM", EnterpriseID: "E0ORG"}
	w := newWorld(t, func(s *setup) {
		s.sim = slacksim.DemoWorkspace()
		s.sim.Users = append(s.sim.Users, slacksim.User{ID: "W0WIM", Name: "wim"})
		s.sim.Groups[0].Members = append(s.sim.Groups[0].Members, "W0WIM")
	})
	w.bot.rights.identity.fetch = func(context.Context, string) (*slack.AuthTestResponse, error) { return self, nil }
	for team, want := range map[string]bool{"T0SLACKSIM": true, "E0ORG": true, "T0SISTER": true, "": false} {
		var no *notAllowedError
		who, err := w.bot.rights.identify(t.Context(), hitl.Reviewer{Team: team, User: "W0WIM"})
		if err == nil {
			err = w.bot.rights.reviewer(t.Context(), who, "support")
		}
		if (err == nil) != want || err != nil && !errors.As(err, &no) {
			t.Errorf("%q: %v", team, err)
		}
	}
	for _, tc := range []struct {
		user slack.User
		want bool
	}{
		{slack.User{}, true},
		{slack.User{TeamID: "T0SLACKSIM"}, true},
		{slack.User{TeamID: "E0ORG"}, true},
		{slack.User{TeamID: "T0SISTER", Enterprise: slack.EnterpriseUser{EnterpriseID: "E0ORG"}}, true},
		{slack.User{TeamID: "T0SISTER"}, false},
		{slack.User{TeamID: "T0PARTNER", Enterprise: slack.EnterpriseUser{EnterpriseID: "E0OTHER"}}, false},
	} {
		if got := home(&tc.user, self); got != tc.want {
			t.Errorf("%+v: %v", tc.user, got)
		}
	}
}

// A token of another workspace than the configured one does nothing there.
func TestTokenOfAnotherWorkspace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { s.bot.Team = "T0ELSEWHERE" })
	rec := w.add()
	stop := w.run()
	w.eventually("the bot says what is wrong", func() bool {
		err := w.bot.Ready()
		return err != nil && strings.Contains(err.Error(), "belongs to workspace T0SLACKSIM and not to T0ELSEWHERE")
	})
	stop()
	if what, _, err := w.bot.show(t.Context(), "support", rec.Review.ID, 0, true); what != failed || err == nil {
		t.Errorf("show: %v, %v", what, err)
	}
	if n := len(w.sim.Messages(channel)); n != 0 {
		t.Errorf("%d messages", n)
	}
	p := map[string]any{
		"type": "block_actions", "user": map[string]any{"id": ana, "team_id": "T0SLACKSIM"}, "container": map[string]any{"channel_id": channel},
		"actions": []any{map[string]any{"action_id": actionAccept, "value": ref{rec.Review.ID, 1, labelKey("NEGATIVE")}.String()}},
	}
	if status, _ := w.payload(t, p); status != 503 || !strings.Contains(w.whispered(ana), "Not recorded") {
		t.Errorf("status %d, told %q", status, w.whispered(ana))
	}
	if _, ok := w.store.decision(rec.Review.ID); ok {
		t.Error("decided")
	}
	right := newWorld(t, func(s *setup) { s.bot.Team = "T0SLACKSIM" })
	right.posted()
}
