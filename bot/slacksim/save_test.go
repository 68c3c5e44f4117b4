package slacksim_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"hitl/bot/slacksim"
)

func TestSaveAndLoad(t *testing.T) {
	t.Parallel()
	w := start(t)
	ts := post(t, w, "C0REVIEW", slack.MsgOptionText("a <!here>", false), card(), slack.MsgOptionMetadata(
		slack.SlackMetadata{EventType: "card", EventPayload: map[string]any{"n": 1}}))
	post(t, w, "C0REVIEW", slack.MsgOptionText("reply", false), slack.MsgOptionTS(ts))
	post(t, w, "U0ANA", slack.MsgOptionText("direct", false))
	var file bytes.Buffer
	if err := w.sim.Save(&file); err != nil {
		t.Fatal(err)
	}
	again := start(t)
	if err := again.sim.Load(&file); err != nil {
		t.Fatal(err)
	}
	dm := w.sim.DM("U0ANA")
	for _, channel := range []string{"C0REVIEW", dm} {
		if d := cmp.Diff(w.sim.Messages(channel), again.sim.Messages(channel)); d != "" {
			t.Errorf("%s: %s", channel, d)
		}
	}
	if again.sim.DM("U0ANA") != dm {
		t.Errorf("direct messages: %q, want %q", again.sim.DM("U0ANA"), dm)
	}
	// A card from before the restart can be clicked and updated, and new timestamps are new.
	if _, err := again.sim.Click(t.Context(), slacksim.Click{User: "U0ANA", Channel: "C0REVIEW", TS: ts, ActionID: "accept"}); err != nil {
		t.Error(err)
	}
	if _, _, _, err := again.client.UpdateMessageContext(t.Context(), "C0REVIEW", ts, slack.MsgOptionText("done", false)); err != nil {
		t.Error(err)
	}
	if newest := post(t, again, "C0REVIEW", slack.MsgOptionText("new", false)); newest <= ts {
		t.Errorf("timestamp %s after %s", newest, ts)
	}
	for _, bad := range []string{"", "{", `{"version":2}`, `{"version":1,"team":"T0OTHER"}`} {
		if err := again.sim.Load(strings.NewReader(bad)); err == nil {
			t.Errorf("%q was loaded", bad)
		}
	}
	if len(again.sim.Messages("C0REVIEW")) != 3 {
		t.Error("a failed Load changed the workspace")
	}
}
