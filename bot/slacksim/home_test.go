package slacksim_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"hitl/bot/slacksim"
)

func choice(v string) *slack.OptionBlockObject {
	return slack.NewOptionBlockObject(v, plain("Label "+v), nil)
}

// chooser is one of each element that people choose with.
func chooser() []slack.Block {
	multi := slack.NewOptionsMultiSelectBlockElement(slack.MultiOptTypeStatic, plain("Pick some"), "multi", choice("m1"), choice("m2"), choice("m3"))
	most := 2
	multi.MaxSelectedItems = &most
	return []slack.Block{
		slack.NewActionBlock("row",
			slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, plain("Pick"), "sel", choice("a"), choice("b")),
			slack.NewRadioButtonsBlockElement("radio", choice("r1"), choice("r2")),
			slack.NewCheckboxGroupsBlockElement("boxes", choice("c1"), choice("c2")),
			slack.NewOverflowBlockElement("more", choice("x"), choice("y")),
			slack.NewButtonBlockElement("go", "1", plain("Go"))),
		slack.NewSectionBlock(mrkdwn("Several"), nil, slack.NewAccessory(multi.WithInitialOptions(choice("m3"))), slack.SectionBlockOptionBlockID("several")),
	}
}

// state is the part of a payload that says what is chosen.
type state map[string]map[string]struct {
	Type            string
	SelectedOption  *struct{ Value string }  `json:"selected_option"`
	SelectedOptions []struct{ Value string } `json:"selected_options"`
	Value           string
}

func (s state) short() map[string]string {
	out := map[string]string{}
	for block, actions := range s {
		for action, v := range actions {
			words := v.Value
			if v.SelectedOption != nil {
				words += v.SelectedOption.Value
			}
			for _, o := range v.SelectedOptions {
				words += o.Value
			}
			out[block+"/"+action] = words
		}
	}
	return out
}

// Every element works in a message, in a modal and in a home tab, and each payload says what is chosen in all of them.
func TestElementsEverywhere(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"message", "direct message", "ephemeral", "modal", "home"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			at := slacksim.Click{User: "U0ANA", Channel: "C0REVIEW"}
			var err error
			switch where {
			case "message":
				at.TS = post(t, w, "C0REVIEW", slack.MsgOptionText("x", false), slack.MsgOptionBlocks(chooser()...))
			case "direct message":
				at.Channel, at.TS, err = w.client.PostMessageContext(t.Context(), "U0ANA", slack.MsgOptionText("x", false), slack.MsgOptionBlocks(chooser()...))
				if !strings.HasPrefix(at.Channel, "D") || at.Channel != w.sim.DM("U0ANA") {
					t.Errorf("posted to %q", at.Channel)
				}
			case "ephemeral":
				at.TS, err = w.client.PostEphemeralContext(t.Context(), "C0REVIEW", "U0ANA", slack.MsgOptionText("x", false), slack.MsgOptionBlocks(chooser()...))
			case "modal":
				var out slacksim.Outcome
				ts := post(t, w, "C0REVIEW", slack.MsgOptionText("x", false), card())
				if out, err = w.sim.Click(t.Context(), slacksim.Click{User: "U0ANA", Channel: "C0REVIEW", TS: ts, ActionID: "other"}); err != nil {
					t.Fatal(err)
				}
				var v *slack.ViewResponse
				v, err = w.client.OpenViewContext(t.Context(), out.TriggerID, slack.ModalViewRequest{
					Type: slack.VTModal, Title: plain("Choose"), Blocks: slack.Blocks{BlockSet: chooser()},
				})
				if err == nil {
					at = slacksim.Click{User: "U0ANA", ViewID: v.ID}
				}
			case "home":
				at = slacksim.Click{User: "U0ANA", ViewID: publish(t, w, chooser()...).ID}
			}
			if err != nil {
				t.Fatal(err)
			}
			click := func(action string, in slacksim.Input) (slacksim.Outcome, error) {
				c := at
				c.ActionID, c.Input = action, in
				return w.sim.Click(t.Context(), c)
			}
			for action, in := range map[string]slacksim.Input{
				"sel": {Option: "b"}, "radio": {Option: "r2"}, "boxes": {Options: []string{"c1", "c2"}}, "multi": {Options: []string{"m1", "m2"}}, "more": {Option: "y"},
			} {
				if _, err := click(action, in); err != nil {
					t.Fatal(err)
				}
				a := w.app.last().call.ActionCallback.BlockActions[0]
				got := a.SelectedOption.Value
				for _, o := range a.SelectedOptions {
					got += o.Value
				}
				if want := in.Option + strings.Join(in.Options, ""); got != want || a.ActionID != action || a.ActionTs == "" {
					t.Errorf("%s: %+v, want %q", action, a, want)
				}
			}
			out, err := click("go", slacksim.Input{})
			if err != nil {
				t.Fatal(err)
			}
			var p struct {
				TriggerID   string  `json:"trigger_id"`
				ResponseURL *string `json:"response_url"`
				Container   map[string]any
				Message     *struct{ TS string }
				Channel     *struct{ ID string }
				State       struct{ Values state }
				View        *struct {
					ID    string
					Hash  string
					Type  string
					State struct{ Values state }
				}
			}
			if err := json.Unmarshal([]byte(w.app.payload()), &p); err != nil {
				t.Fatal(err)
			}
			values := p.State.Values
			if at.ViewID != "" {
				if p.View == nil || p.View.ID != at.ViewID || p.ResponseURL != nil || p.Message != nil || p.Channel != nil ||
					!cmp.Equal(p.Container, map[string]any{"type": "view", "view_id": at.ViewID}) {
					t.Fatalf("payload %s", w.app.payload())
				}
				values = p.View.State.Values
			} else if p.View != nil || p.ResponseURL == nil || *p.ResponseURL != out.ResponseURL || p.Channel.ID != at.Channel ||
				p.Container["is_ephemeral"] != (where == "ephemeral") || (p.Message == nil) != (where == "ephemeral") {
				t.Fatalf("payload %s", w.app.payload())
			}
			want := map[string]string{"row/sel": "b", "row/radio": "r2", "row/boxes": "c1c2", "several/multi": "m1m2"}
			if diff := cmp.Diff(want, values.short()); diff != "" || p.TriggerID == "" {
				t.Errorf("state (-want +got):\n%s", diff)
			}
			for action, in := range map[string]slacksim.Input{"multi": {Options: []string{"m1", "m2", "m3"}}, "sel": {Option: "z"}} {
				if _, err := click(action, in); err == nil {
					t.Errorf("%s took %+v", action, in)
				}
			}
			w.clean(t)
		})
	}
}

func publish(t *testing.T, w *world, blocks ...slack.Block) *slack.ViewResponse {
	t.Helper()
	v, err := w.client.PublishViewContext(t.Context(), slack.PublishViewContextRequest{
		UserID: "U0ANA", View: slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: blocks}},
	})
	if err != nil {
		t.Fatalf("publish: %v", err)
	}
	return v
}

func TestHomeInputsAndHash(t *testing.T) {
	t.Parallel()
	w := start(t)
	blocks := []slack.Block{
		slack.NewInputBlock("name", plain("Name"), nil, slack.NewPlainTextInputBlockElement(nil, "text")),
		slack.NewActionBlock("row", slack.NewButtonBlockElement("save", "1", plain("Save"))),
	}
	v := publish(t, w, blocks...)
	if err := w.sim.SetValue("U0ANA", "name", "text", slacksim.Input{Text: "Ana"}); err != nil {
		t.Fatal(err)
	}
	if err := w.sim.SetValue("U0BEN", "name", "text", slacksim.Input{Text: "Ben"}); err == nil {
		t.Error("Ben has no home tab")
	}
	if _, err := w.sim.Click(t.Context(), slacksim.Click{User: "U0ANA", ViewID: v.ID, ActionID: "save"}); err != nil {
		t.Fatal(err)
	}
	if got := w.app.last().call.View.State.Values["name"]["text"].Value; got != "Ana" {
		t.Errorf("the app read %q", got)
	}
	if _, err := w.sim.Click(t.Context(), slacksim.Click{User: "U0BEN", ViewID: v.ID, ActionID: "save"}); err == nil {
		t.Error("Ben clicked in Ana's home tab")
	}
	// The hash is that of the latest publication.
	again := slack.PublishViewContextRequest{UserID: "U0ANA", Hash: &v.Hash, View: slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: blocks}}}
	if _, err := w.client.PublishViewContext(t.Context(), again); err != nil {
		t.Errorf("with the hash: %v", err)
	}
	if _, err := w.client.PublishViewContext(t.Context(), again); errText(err) != "hash_conflict" {
		t.Errorf("with the hash before: %v", err)
	}
	// The next time the tab is opened, the event has the view.
	if _, err := w.sim.OpenHome(t.Context(), "U0ANA"); err != nil {
		t.Fatal(err)
	}
	var e struct {
		Event struct {
			Tab, Channel string
			View         struct{ ID, Type string }
		}
	}
	if err := json.Unmarshal(w.app.last().body, &e); err != nil || e.Event.View.ID != v.ID || e.Event.Tab != "home" || e.Event.Channel != w.sim.DM("U0ANA") {
		t.Errorf("event %s", w.app.last().body)
	}
	w.clean(t)
}

func TestHomeLimits(t *testing.T) {
	t.Parallel()
	w := start(t)
	view := func(n int, text string) string {
		blocks := make([]map[string]any, n)
		for i := range blocks {
			blocks[i] = map[string]any{"type": "section", "text": map[string]any{"type": "mrkdwn", "text": text}}
		}
		raw, err := json.Marshal(map[string]any{"user_id": "U0ANA", "view": map[string]any{"type": "home", "blocks": blocks}})
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	for name, tc := range map[string]struct{ body, want string }{
		"100 blocks": {view(100, "x"), ""}, "101 blocks": {view(101, "x"), "invalid_arguments"},
		"250 kB": {view(100, strings.Repeat("x", 2990)), "view_too_large"},
	} {
		_, _, body := raw(t, w, "views.publish", jsonType, w.sim.Token(), tc.body)
		if fmt.Sprint(body["error"]) != tc.want && (tc.want != "" || body["ok"] != true) {
			t.Errorf("%s: %v", name, body)
		}
	}
	// A multi-select is no part of an actions block, and takes at most 100 options.
	multi := map[string]any{"type": "multi_static_select", "options": []any{map[string]any{"text": map[string]any{"type": "plain_text", "text": "a"}, "value": "a"}}}
	bad, err := json.Marshal(map[string]any{"user_id": "U0ANA", "view": map[string]any{"type": "home", "blocks": []any{map[string]any{"type": "actions", "elements": []any{multi}}}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, body := raw(t, w, "views.publish", jsonType, w.sim.Token(), string(bad)); body["error"] != "invalid_arguments" {
		t.Errorf("in an actions block: %v", body)
	}
}

// An ephemeral message is changed and removed by the response_url of a click in it.
func TestEphemeralByResponseURL(t *testing.T) {
	t.Parallel()
	w := start(t)
	eph, err := w.client.PostEphemeralContext(t.Context(), "C0REVIEW", "U0ANA", slack.MsgOptionText("x", false), card())
	if err != nil {
		t.Fatal(err)
	}
	out, err := w.sim.Click(t.Context(), slacksim.Click{User: "U0ANA", Channel: "C0REVIEW", TS: eph, ActionID: "accept"})
	if err != nil {
		t.Fatal(err)
	}
	say := func(m slack.WebhookMessage) {
		t.Helper()
		if err := slack.PostWebhookCustomHTTPContext(t.Context(), out.ResponseURL, w.http, &m); err != nil {
			t.Fatal(err)
		}
	}
	say(slack.WebhookMessage{Text: "Thank you.", ReplaceOriginal: true})
	if seen := w.sim.Ephemerals("U0ANA"); len(seen) != 1 || seen[0].TS != eph || seen[0].Text != "Thank you." || len(seen[0].Blocks) != 0 {
		t.Errorf("replaced: %+v", seen)
	}
	say(slack.WebhookMessage{DeleteOriginal: true})
	if seen := w.sim.Ephemerals("U0ANA"); len(seen) != 0 {
		t.Errorf("deleted: %+v", seen)
	}
	w.clean(t)
}
