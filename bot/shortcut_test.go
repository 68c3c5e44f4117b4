package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"hitl"
	"hitl/bot/slacksim"
)

// intake is a system of record that takes messages in, and keeps hitl.Intake's promises of keys.
type intake struct {
	mu    sync.Mutex
	taken map[string]hitl.Submission // by source and id
	fail  error
}

func (in *intake) key(source, id string) string { return source + " " + id }

func (in *intake) record(s hitl.Submission) hitl.Record {
	rec := newRecord("rev_1", func(r *hitl.Record) {
		r.Item.Source, r.Item.ExternalID, r.Item.Text, r.Item.Metadata = s.Source, s.ExternalID, s.Text, s.Metadata
	})
	if s.Source == "sure" {
		rec.Review, rec.Route.Status, rec.Prediction.Confidence = nil, hitl.AIAccepted, 0.97
	}
	return rec
}

func (in *intake) Submit(_ context.Context, s hitl.Submission) (hitl.Record, bool, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.fail != nil {
		return hitl.Record{}, false, in.fail
	}
	k := in.key(s.Source, s.ExternalID)
	if old, ok := in.taken[k]; ok {
		if !cmp.Equal(old, s) {
			return hitl.Record{}, false, hitl.ErrConflict
		}
		return in.record(old), true, nil
	}
	in.taken[k] = s
	return in.record(s), false, nil
}

func (in *intake) Find(_ context.Context, source, id string) (hitl.Record, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	s, ok := in.taken[in.key(source, id)]
	if !ok {
		return hitl.Record{}, hitl.ErrNotFound
	}
	return in.record(s), nil
}

func (in *intake) failing(err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.fail = err
}

// withShortcut gives a world the shortcut, which sends to "unsure" and "sure".
func withShortcut(in *intake) func(*setup) {
	in.taken = map[string]hitl.Submission{}
	return func(s *setup) {
		demo := slacksim.DemoWorkspace()
		s.sim.Users, s.sim.Groups, s.sim.Channels = demo.Users, demo.Groups, demo.Channels
		s.sim.Users = append(s.sim.Users, slacksim.User{ID: "U0GUEST", Name: "gus", RealName: "Gus", Guest: true})
		s.sim.Channels[0].Members = append(s.sim.Channels[0].Members, "U0GUEST")
		s.sim.Shortcuts = []slacksim.Shortcut{{Name: "Send to hitl", CallbackID: shortcutSend, Type: slacksim.MessageShortcut}}
		s.bot.ShortcutSources, s.bot.Intake = []string{"unsure", "sure"}, in
	}
}

func (w *world) writes(user, where, text, thread string) string {
	w.t.Helper()
	ts, err := w.sim.Post(user, where, text, thread)
	if err != nil {
		w.t.Fatal(err)
	}
	return ts
}

// shortcut chooses the shortcut on a message and returns what the modal says then.
func (w *world) shortcut(user, where, ts string) string {
	w.t.Helper()
	out, err := w.sim.Shortcut(w.t.Context(), slacksim.UseShortcut{User: user, CallbackID: shortcutSend, Channel: where, TS: ts})
	if err != nil || out.Error != "" {
		w.t.Fatalf("shortcut: %+v %v", out, err)
	}
	return w.shownModal(user)
}

func (w *world) shownModal(user string) string {
	w.t.Helper()
	w.bot.Wait()
	vs := w.sim.Views(user)
	if len(vs) == 0 {
		w.t.Fatal("no modal")
	}
	return vs[len(vs)-1].AllText()
}

// sendsTo fills the form in and returns what is shown then, or the error beside the field.
func (w *world) sendsTo(user, source string) string {
	w.t.Helper()
	if source != "" {
		if err := w.sim.SetValue(user, blockSource, fieldSource, slacksim.Input{Option: labelKey(source)}); err != nil {
			w.t.Fatal(err)
		}
	}
	out, err := w.sim.SubmitView(w.t.Context(), slacksim.Submit{User: user})
	if err != nil || out.Error != "" {
		w.t.Fatalf("submit: %+v %v", out, err)
	}
	if e := out.Errors[blockSource]; e != "" {
		return e
	}
	return w.shownModal(user)
}

func contains(t *testing.T, got string, want ...string) {
	t.Helper()
	for _, s := range want {
		if !strings.Contains(got, s) {
			t.Errorf("%q lacks %q", got, s)
		}
	}
}

func TestShortcutSendsAMessage(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		in := w.bot.cfg.Intake.(*intake)
		ts := w.writes(ben, channel, "Late <again> & again, "+strings.Repeat("x", 5000), "")
		contains(t, w.shortcut(ana, channel, ts), "Late <again>", "The text goes on", "Kind of item")
		contains(t, w.sendsTo(ana, "unsure"), "A review is open in `support`.", "itm_1")
		s := in.taken["unsure slack:T0SLACKSIM/"+channel+"/"+ts]
		if !strings.HasPrefix(s.Text, "Late <again> & again, xxx") || len(s.Text) < 5000 {
			t.Errorf("sent %.40q", s.Text)
		}
		want := map[string]any{"channel": channel, "ts": ts, "author": ben, "sent_by": ana, "permalink": s.Metadata["permalink"]}
		if diff := cmp.Diff(want, s.Metadata); diff != "" || !strings.HasSuffix(fmt.Sprint(s.Metadata["permalink"]), "/archives/"+channel+"/p"+strings.ReplaceAll(ts, ".", "")) {
			t.Errorf("metadata %v", s.Metadata)
		}

		// The same message is one item, whoever sends it and whatever it says by then.
		w.shortcut(ben, channel, ts)
		if err := w.sim.EditMessage(ben, channel, ts, "Never mind."); err != nil {
			t.Fatal(err)
		}
		contains(t, w.sendsTo(ben, "unsure"), "was sent before", "A review is open")
		if len(in.taken) != 1 {
			t.Errorf("%d items", len(in.taken))
		}

		// An answer in a thread is read, too; and the model may be sure.
		reply := w.writes(ana, channel, "Thank you!", ts)
		contains(t, w.shortcut(ben, channel, reply), "Thank you!")
		contains(t, w.sendsTo(ben, "sure"), "Accepted", "NEGATIVE", "97%", "itm_1")
		if got := in.taken["sure slack:T0SLACKSIM/"+channel+"/"+reply]; got.Text != "Thank you!" || !strings.Contains(fmt.Sprint(got.Metadata["permalink"]), "?thread_ts="+ts) {
			t.Errorf("sent %+v", got)
		}
		if w.seen.count(&w.seen.clicked, "shortcut sent") != 2 || w.seen.count(&w.seen.clicked, "shortcut known") != 1 {
			t.Errorf("observed %v", w.seen.clicked)
		}
		w.clean()
	}, func(s *setup) { withShortcut(&intake{})(s) })
}

func TestShortcutKeepsTheForm(t *testing.T) {
	t.Parallel()
	in := &intake{}
	w := newWorld(t, withShortcut(in))
	ts := w.writes(ben, channel, "Late again.", "")
	w.shortcut(ana, channel, ts)
	for _, tc := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("classify: %w", hitl.ErrBusy), "the model is busy"},
		{hitl.ErrBacklog, "too many reviews wait"},
		{&hitl.InvalidError{Field: "text", Reason: "is 2 bytes long, the limit is 1"}, "text is 2 bytes long"},
		{errors.New("cut off"), "counts only once"},
	} {
		in.failing(tc.err)
		contains(t, w.sendsTo(ana, "unsure"), tc.want)
	}
	in.failing(nil)
	if err := w.sim.EditMessage(ben, channel, ts, "Not late."); err != nil {
		t.Fatal(err)
	}
	contains(t, w.sendsTo(ana, ""), "was edited meanwhile")
	if err := w.sim.SetMember(channel, "U0HITL", false); err != nil {
		t.Fatal(err)
	}
	contains(t, w.sendsTo(ana, ""), "Invite me")
	if len(in.taken) != 0 {
		t.Errorf("taken: %v", in.taken)
	}
	if err := w.sim.SetMember(channel, "U0HITL", true); err != nil {
		t.Fatal(err)
	}
	if err := w.sim.EditMessage(ben, channel, ts, "Late again."); err != nil {
		t.Fatal(err)
	}
	contains(t, w.sendsTo(ana, ""), "A review is open")
}

func TestShortcutRefuses(t *testing.T) {
	t.Parallel()
	in := &intake{}
	w := newWorld(t, withShortcut(in))
	ts := w.writes(ben, channel, "Late again.", "")
	contains(t, w.shortcut("U0GUEST", channel, ts), "no guests")
	contains(t, w.shortcut("U0EVE", channel, ts), "Only active members")
	general := w.writes(chloe, "C0GENERAL", "Hello", "")
	contains(t, w.shortcut(chloe, "C0GENERAL", general), "Invite me")
	_, card := w.posted()
	contains(t, w.shortcut(ben, channel, card.TS), "I wrote this")
	if len(in.taken) != 0 {
		t.Errorf("taken: %v", in.taken)
	}
}

// Only what the shortcut sent links to its message, and only to Slack.
func TestCardLinksToTheMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withShortcut(&intake{}))
	w.bot.settleIn("https://acme.slack-gov.com/")
	good := "https://acme.slack.com/archives/C1/p1?thread_ts=1.0&cid=C1"
	for name, tc := range map[string]struct {
		source, id, link string
		want             bool
	}{
		"sent":        {"unsure", "slack:T/C/1", good, true},
		"our host":    {"unsure", "slack:T/C/1", "https://acme.slack-gov.com/archives/C1/p1", true},
		"source":      {"zendesk", "slack:T/C/1", good, false},
		"id":          {"unsure", "x-slack:T/C/1", good, false},
		"host":        {"unsure", "slack:T/C/1", "https://evil.example/.slack.com", false},
		"suffix":      {"unsure", "slack:T/C/1", "https://evilslack.com/", false},
		"http":        {"unsure", "slack:T/C/1", "http://acme.slack.com/", false},
		"user":        {"unsure", "slack:T/C/1", "https://acme.slack.com@acme.slack.com/", false},
		"markup":      {"unsure", "slack:T/C/1", "https://acme.slack.com/|Accept>", false},
		"no address":  {"unsure", "slack:T/C/1", "", false},
		"javascript:": {"unsure", "slack:T/C/1", "javascript:acme.slack.com", false},
	} {
		rec := newRecord("rev_1", func(r *hitl.Record) {
			r.Item.Source, r.Item.ExternalID, r.Item.Metadata = tc.source, tc.id, map[string]any{"permalink": tc.link}
		})
		m := card(inEnglish, w.bot.screen(rec))
		if got := strings.Contains(m.Text, "|Open the message>") && strings.Contains(fmt.Sprint(mrkdwnOf(t, m)[1:]), "|Open the message>"); got != tc.want {
			t.Errorf("%s: %v", name, m.Text)
		}
		erase(&rec)
		if m := card(inEnglish, w.bot.screen(rec)); strings.Contains(m.Text, "Open the message") {
			t.Errorf("%s: erased, and linked", name)
		}
	}
}

func TestWritten(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a &lt;b&gt; &amp;amp; c":                 "a <b> &amp; c",
		"<@U1> <@U1|ana> <#C1|general>":           "@U1 @ana #general",
		"<!here> <!subteam^S1|@team> <!date^1^x>": "@here @team @date",
		"<https://a.example/?x=1&amp;y=2>":        "https://a.example/?x=1&y=2",
		"<http://a.example|a.example>":            "a.example",
		"<https://a.example|here>":                "here (https://a.example)",
		"<mailto:a@a.example|a@a.example> <> <|>": "a@a.example  ",
		"1 &lt; 2 and no <tag":                    "1 < 2 and no <tag",
	} {
		if got := written(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// What is no markup of Slack's comes through as it was typed.
func FuzzWritten(f *testing.F) {
	f.Add("a <b> & c")
	f.Fuzz(func(t *testing.T, typed string) {
		sent := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(typed)
		if got := written(sent); got != typed {
			t.Errorf("%q became %q", typed, got)
		}
	})
}

// sendViews are the modals of the shortcut.
func sendViews(l *language) map[string]slack.ModalViewRequest {
	at := sendData{Channel: channel, TS: "1.000001", Shown: labelKey("x")}
	return map[string]slack.ModalViewRequest{
		"send_form":     sendModal(l, "The parcel came late.", []string{"desk", "shop"}, at),
		"send_hostile":  sendModal(l, hostile, []string{"desk"}, at),
		"send_invite":   notice(l, l.say("send.title"), escape(l.say("send.invite")), viewData{}),
		"send_review":   sentModal(l, asIs("rev_1"), false),
		"send_known":    sentModal(l, asIs("rev_1", decidedBy(hitl.HumanCorrected, "POSITIVE")), true),
		"send_erased":   sentModal(l, asIs("rev_1", erase), true),
		"send_accepted": sentModal(l, asIs("rev_1", func(r *hitl.Record) { r.Review, r.Prediction.Confidence = nil, 0.97 }), false),
	}
}

// sentOn is a record of a message that was sent by the shortcut.
func sentOn(s screened) screened {
	s.sent = "https://x.slack.com/archives/C0REVIEW/p1000001"
	return s
}
