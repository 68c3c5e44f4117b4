package slacksim_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"hitl/bot/slacksim"
)

func TestPostMessage(t *testing.T) {
	t.Parallel()
	w := start(t)
	meta := slack.SlackMetadata{EventType: "hitl_card", EventPayload: map[string]any{"intent": "i1"}}
	ts := post(t, w, "C0REVIEW", slack.MsgOptionText("refund? & <b>", true), card(), slack.MsgOptionMetadata(meta),
		slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl())
	got := w.sim.Messages("C0REVIEW")
	if len(got) != 1 || got[0].TS != ts || got[0].Text != "refund? &amp; &lt;b&gt;" || got[0].BotID != "B0HITL" {
		t.Fatalf("messages: %+v", got)
	}
	if d := cmp.Diff(&slacksim.Metadata{EventType: "hitl_card", EventPayload: map[string]any{"intent": "i1"}}, got[0].Metadata); d != "" {
		t.Error(d)
	}
	e, ok := got[0].Element("accept")
	if !ok || e.Text != "Accept" || e.Value != "r1" || e.Style != "primary" || e.BlockID != "decide" {
		t.Errorf("element: %+v", e)
	}
	if len(got[0].Mentions) != 0 {
		t.Errorf("mentions: %v", got[0].Mentions)
	}
	if got[0].Blocks[0]["block_id"] == "" {
		t.Error("a block without an id was not given one")
	}
	if !strings.Contains(got[0].AllText(), "money back") {
		t.Errorf("all text: %q", got[0].AllText())
	}
	w.clean(t)
}

func TestPostMessageErrors(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *slacksim.Config) {
		*c = mergeDemo(*c)
		c.Channels = append(c.Channels,
			slacksim.Channel{ID: "C0OLD", Name: "old", Archived: true, Members: []string{"U0HITL"}},
			slacksim.Channel{ID: "C0SECRET", Name: "secret", Private: true})
	})
	for _, tc := range []struct {
		channel, want string
		options       []slack.MsgOption
	}{
		{"C0NOWHERE", "channel_not_found", []slack.MsgOption{slack.MsgOptionText("x", false)}},
		{"C0GENERAL", "not_in_channel", []slack.MsgOption{slack.MsgOptionText("x", false)}},
		{"C0SECRET", "channel_not_found", []slack.MsgOption{slack.MsgOptionText("x", false)}},
		{"C0OLD", "is_archived", []slack.MsgOption{slack.MsgOptionText("x", false)}},
		{"C0REVIEW", "no_text", nil},
		{"C0REVIEW", "invalid_thread_ts", []slack.MsgOption{slack.MsgOptionText("x", false), slack.MsgOptionTS("yesterday")}},
		{"C0REVIEW", "invalid_arguments", []slack.MsgOption{slack.MsgOptionText("x", false), slack.MsgOptionAttachments(slack.Attachment{Text: "a"})}},
		{"C0REVIEW", "invalid_arguments", []slack.MsgOption{slack.MsgOptionText("x", false), slack.MsgOptionUsername("boss")}},
		{"C0REVIEW", "invalid_blocks", []slack.MsgOption{slack.MsgOptionBlocks(slack.NewHeaderBlock(plain(strings.Repeat("x", 151))))}},
		{"C0REVIEW", "msg_blocks_too_long", []slack.MsgOption{slack.MsgOptionBlocks(
			slack.NewSectionBlock(plain(strings.Repeat("a", 3000)), nil, nil), slack.NewSectionBlock(plain(strings.Repeat("b", 3000)), nil, nil),
			slack.NewSectionBlock(plain(strings.Repeat("c", 3000)), nil, nil), slack.NewSectionBlock(plain(strings.Repeat("d", 3000)), nil, nil),
			slack.NewSectionBlock(plain(strings.Repeat("e", 1201)), nil, nil))}},
	} {
		_, _, err := w.client.PostMessageContext(t.Context(), tc.channel, tc.options...)
		if err == nil || err.Error() != tc.want {
			t.Errorf("post to %s: %v, want %s", tc.channel, err, tc.want)
		}
	}
	if n := len(w.sim.Messages("C0REVIEW")); n != 0 {
		t.Errorf("%d messages were posted", n)
	}
	if n := len(w.sim.Refused()); n != 6 {
		t.Errorf("%d refusals, want the six of content: %+v", n, w.sim.Refused())
	}
}

// mergeDemo puts the demo workspace's people into a config.
func mergeDemo(c slacksim.Config) slacksim.Config {
	demo := slacksim.DemoWorkspace()
	c.Users, c.Groups, c.Channels = demo.Users, demo.Groups, demo.Channels
	return c
}

func TestPostMessageCutsLongText(t *testing.T) {
	t.Parallel()
	w := start(t)
	post(t, w, "C0REVIEW", slack.MsgOptionText(strings.Repeat("ä", 40_001), false))
	if n := len([]rune(w.sim.Messages("C0REVIEW")[0].Text)); n != 40_000 {
		t.Errorf("%d characters kept", n)
	}
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	w := start(t)
	meta := slack.SlackMetadata{EventType: "card", EventPayload: map[string]any{"n": "1"}}
	ts := post(t, w, "C0REVIEW", slack.MsgOptionText("a", false), card(), slack.MsgOptionMetadata(meta))
	if _, _, _, err := w.client.UpdateMessageContext(t.Context(), "C0REVIEW", ts, slack.MsgOptionText("b", false)); err != nil {
		t.Fatal(err)
	}
	m, _ := w.sim.Message("C0REVIEW", ts)
	if m.Text != "b" || m.Blocks != nil || m.Metadata == nil || m.EditedTS == "" {
		t.Errorf("text without blocks must remove the blocks and keep metadata: %+v", m)
	}
	for want, do := range map[string]func() error{
		"msg_too_long": func() error {
			_, _, _, err := w.client.UpdateMessageContext(t.Context(), "C0REVIEW", ts, slack.MsgOptionText(strings.Repeat("x", 4001), false))
			return err
		},
		"message_not_found": func() error {
			_, _, _, err := w.client.UpdateMessageContext(t.Context(), "C0REVIEW", "1700000000.000001", slack.MsgOptionText("x", false))
			return err
		},
		"no_text": func() error {
			_, _, _, err := w.client.UpdateMessageContext(t.Context(), "C0REVIEW", ts)
			return err
		},
		"cant_update_message": func() error {
			theirs, err := w.sim.Post("U0ANA", "C0REVIEW", "hello", "")
			if err != nil {
				return err
			}
			_, _, _, err = w.client.UpdateMessageContext(t.Context(), "C0REVIEW", theirs, slack.MsgOptionText("x", false))
			return err
		},
	} {
		if err := do(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, _, err := w.client.DeleteMessageContext(t.Context(), "C0REVIEW", ts); err != nil {
		t.Fatal(err)
	}
	if _, ok := w.sim.Message("C0REVIEW", ts); ok {
		t.Error("still there after chat.delete")
	}
}

func TestEphemeral(t *testing.T) {
	t.Parallel()
	w := start(t)
	ts, err := w.client.PostEphemeralContext(t.Context(), "C0REVIEW", "U0ANA", slack.MsgOptionText("only you", false))
	if err != nil {
		t.Fatal(err)
	}
	if got := w.sim.Ephemerals("U0ANA"); len(got) != 1 || got[0].TS != ts || got[0].EphemeralTo != "U0ANA" {
		t.Errorf("ephemerals: %+v", got)
	}
	if len(w.sim.Ephemerals("U0BEN")) != 0 || len(w.sim.Messages("C0REVIEW")) != 0 {
		t.Error("others see it")
	}
	if _, _, _, err := w.client.UpdateMessageContext(t.Context(), "C0REVIEW", ts, slack.MsgOptionText("x", false)); err == nil || err.Error() != "message_not_found" {
		t.Errorf("update of an ephemeral message: %v", err)
	}
	if _, err := w.client.PostEphemeralContext(t.Context(), "C0ESCALATE", "U0CHLOE", slack.MsgOptionText("x", false)); err == nil || err.Error() != "user_not_in_channel" {
		t.Errorf("to an outsider: %v", err)
	}
	w.clean(t)
}

func TestThreadsAndHistory(t *testing.T) {
	t.Parallel()
	w := start(t)
	var all []string
	for range 5 {
		all = append(all, post(t, w, "C0REVIEW", slack.MsgOptionText("m", false),
			slack.MsgOptionMetadata(slack.SlackMetadata{EventType: "e", EventPayload: map[string]any{"k": "v"}})))
	}
	reply := post(t, w, "C0REVIEW", slack.MsgOptionText("r", false), slack.MsgOptionTS(all[0]))
	seen := post(t, w, "C0REVIEW", slack.MsgOptionText("b", false), slack.MsgOptionTS(all[0]), slack.MsgOptionBroadcast())
	lost := post(t, w, "C0REVIEW", slack.MsgOptionText("u", false), slack.MsgOptionTS("1700000000.000001"))
	if m, _ := w.sim.Message("C0REVIEW", lost); m.ThreadTS != "" {
		t.Error("a reply to a lost parent must be posted into the channel")
	}
	read := func(p slack.GetConversationHistoryParameters) (ts []string, cursor string) {
		p.ChannelID = "C0REVIEW"
		h, err := w.client.GetConversationHistoryContext(t.Context(), &p)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range h.Messages {
			ts = append(ts, m.Timestamp)
			if want := p.IncludeAllMetadata && m.Text == "m"; (m.Metadata.EventType == "e") != want {
				t.Errorf("metadata of %s: %+v, asked for: %v", m.Timestamp, m.Metadata, p.IncludeAllMetadata)
			}
		}
		return ts, h.ResponseMetaData.NextCursor
	}
	want := []string{lost, seen, all[4], all[3], all[2], all[1], all[0]}
	var got []string
	p := slack.GetConversationHistoryParameters{Limit: 3, IncludeAllMetadata: true}
	for {
		page, cursor := read(p)
		got = append(got, page...)
		if cursor == "" {
			break
		}
		p.Cursor = cursor
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	got, _ = read(slack.GetConversationHistoryParameters{Oldest: all[1], Latest: all[3]})
	if d := cmp.Diff([]string{all[2]}, got); d != "" {
		t.Error(d)
	}
	got, _ = read(slack.GetConversationHistoryParameters{Oldest: all[1], Latest: all[3], Inclusive: true})
	if d := cmp.Diff([]string{all[3], all[2], all[1]}, got); d != "" {
		t.Error(d)
	}
	thread, _, _, err := w.client.GetConversationRepliesContext(t.Context(), &slack.GetConversationRepliesParameters{ChannelID: "C0REVIEW", Timestamp: all[0]})
	if err != nil {
		t.Fatal(err)
	}
	if len(thread) != 3 || thread[1].Timestamp != reply {
		t.Errorf("thread: %+v", thread)
	}
	link, err := w.client.GetPermalinkContext(t.Context(), &slack.PermalinkParameters{Channel: "C0REVIEW", Ts: reply})
	if err != nil || !strings.HasPrefix(link, "https://slacksim.slack.com/archives/C0REVIEW/p") {
		t.Errorf("permalink %q, %v", link, err)
	}
	w.clean(t)
}

func TestMentions(t *testing.T) {
	t.Parallel()
	w := start(t)
	ts := post(t, w, "C0REVIEW", slack.MsgOptionText("<!channel> &lt;!here&gt;", false), slack.MsgOptionBlocks(
		slack.NewSectionBlock(mrkdwn("<@U0ANA> <!subteam^S0REVIEWERS|@reviewers>"), nil, nil),
		slack.NewSectionBlock(plain("<!everyone>"), nil, nil)))
	m, _ := w.sim.Message("C0REVIEW", ts)
	if d := cmp.Diff([]string{"!channel", "!subteam^S0REVIEWERS", "@U0ANA"}, m.Mentions); d != "" {
		t.Error(d)
	}
}
