package slacksim_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"hitl/bot/slacksim"
)

func TestUserInfoLocaleAndZone(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *slacksim.Config) {
		c.Users = []slacksim.User{{ID: "U0ANA", Name: "ana", TimeZone: "Europe/Berlin", Locale: "de-DE"}, {ID: "U0BEN", Name: "ben"}}
	})
	ask := func(args string) map[string]any {
		t.Helper()
		_, _, body := raw(t, w, "users.info", formType, w.sim.Token(), args)
		u, _ := body["user"].(map[string]any)
		return u
	}
	if u := ask("user=U0ANA&include_locale=true"); u["locale"] != "de-DE" || u["tz"] != "Europe/Berlin" || u["tz_offset"] != 3600.0 || u["tz_label"] != "CET" {
		t.Errorf("Ana: %v", u)
	}
	if u := ask("user=U0BEN&include_locale=1"); u["locale"] != "en-US" || u["tz"] != "Etc/UTC" || u["tz_offset"] != 0.0 {
		t.Errorf("Ben: %v", u)
	}
	if u := ask("user=U0ANA"); u["locale"] != nil {
		t.Errorf("a locale nobody asked for: %v", u)
	}
	if _, err := slacksim.New(slacksim.Config{Users: []slacksim.User{{ID: "U1", TimeZone: "Mars/Olympus"}}}); err == nil || !strings.Contains(err.Error(), "U1: tz") {
		t.Errorf("a wrong time zone: %v", err)
	}
	w.clean(t)
}

func TestMembersPages(t *testing.T) {
	t.Parallel()
	var want []string
	w := start(t, func(c *slacksim.Config) {
		for i := range 7 {
			id := fmt.Sprintf("U%03d", i)
			c.Users, want = append(c.Users, slacksim.User{ID: id, Name: id}), append(want, id)
		}
		c.Channels = []slacksim.Channel{{ID: "C1", Name: "one", Members: want}}
	})
	var got []string
	cursor, pages := "", 0
	for {
		ids, next, err := w.client.GetUsersInConversationContext(t.Context(), &slack.GetUsersInConversationParameters{ChannelID: "C1", Limit: 3, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		got, cursor, pages = append(got, ids...), next, pages+1
		if next == "" {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || pages != 3 {
		t.Errorf("%d pages (-want +got):\n%s", pages, diff)
	}
	for args, want := range map[string]string{"channel=C1&limit=1000": "invalid_limit", "channel=C1&limit=-1": "invalid_limit", "channel=C1&cursor=garbage": "invalid_cursor", "channel=C2": "channel_not_found"} {
		if _, _, body := raw(t, w, "conversations.members", formType, w.sim.Token(), args); body["error"] != want {
			t.Errorf("%s: %v", args, body)
		}
	}
}

// conversations.members is of tier 4: a hundred calls a minute.
func TestMembersRate(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *slacksim.Config) { c.Rates = slacksim.RatesStrict })
	for i := range 100 {
		if status, _, body := raw(t, w, "conversations.members", formType, w.sim.Token(), "channel=C0REVIEW"); status != 200 {
			t.Fatalf("call %d: %v", i+1, body)
		}
	}
	if status, after, _ := raw(t, w, "conversations.members", formType, w.sim.Token(), "channel=C0REVIEW"); status != 429 || after != "60" {
		t.Errorf("status %d, Retry-After %q", status, after)
	}
	w.clock.advance(time.Minute)
	if status, _, _ := raw(t, w, "conversations.members", formType, w.sim.Token(), "channel=C0REVIEW"); status != 200 {
		t.Errorf("a minute later: %d", status)
	}
}

func TestPermalinkOfReply(t *testing.T) {
	t.Parallel()
	w := start(t)
	ts := post(t, w, "C0REVIEW", slack.MsgOptionText("a", false))
	reply := post(t, w, "C0REVIEW", slack.MsgOptionText("b", false), slack.MsgOptionTS(ts))
	link, err := w.client.GetPermalinkContext(t.Context(), &slack.PermalinkParameters{Channel: "C0REVIEW", Ts: reply})
	want := "https://slacksim.slack.com/archives/C0REVIEW/p" + strings.ReplaceAll(reply, ".", "") + "?thread_ts=" + ts + "&cid=C0REVIEW"
	if err != nil || link != want {
		t.Errorf("%s, %v; want %s", link, err, want)
	}
	w.clean(t)
}
