package slacksim_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"hitl/bot/slacksim"
)

// form is a modal with a select, an external select and a text.
func form(title string) slack.ModalViewRequest {
	opt := func(v string) *slack.OptionBlockObject { return slack.NewOptionBlockObject(v, plain(v), nil) }
	comment := slack.NewInputBlock("comment", plain("Comment"), nil, slack.NewPlainTextInputBlockElement(nil, "text").WithMultiline(true).WithMaxLength(20))
	comment.Optional = true
	tag := slack.NewInputBlock("tag", plain("Tag"), nil, slack.NewOptionsSelectBlockElement(slack.OptTypeExternal, plain("Search"), "find"))
	tag.Optional = true
	return slack.ModalViewRequest{
		Type: slack.VTModal, Title: plain(title), Submit: plain("Save"), Close: plain("Cancel"),
		CallbackID: "correct", PrivateMetadata: `{"review":"r1"}`, NotifyOnClose: true,
		Blocks: slack.Blocks{BlockSet: []slack.Block{
			slack.NewInputBlock("label", plain("Label"), nil, slack.NewRadioButtonsBlockElement("choice", opt("POSITIVE"), opt("NEGATIVE"))),
			tag, comment,
		}},
	}
}

// trigger makes Ana click and returns the trigger_id that came of it.
func trigger(t *testing.T, w *world) string {
	t.Helper()
	ts := post(t, w, "C0REVIEW", slack.MsgOptionText("a", false), card())
	out, err := w.sim.Click(t.Context(), slacksim.Click{User: "U0ANA", Channel: "C0REVIEW", TS: ts, ActionID: "other"})
	if err != nil {
		t.Fatal(err)
	}
	return out.TriggerID
}

func open(t *testing.T, w *world) *slack.ViewResponse {
	t.Helper()
	v, err := w.client.OpenViewContext(t.Context(), trigger(t, w), form("Correct"))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestTriggers(t *testing.T) {
	t.Parallel()
	w := start(t)
	id := trigger(t, w)
	want := func(id, code string) {
		t.Helper()
		if _, err := w.client.OpenViewContext(t.Context(), id, form("x")); err == nil || err.Error() != code {
			t.Errorf("open: %v, want %s", err, code)
		}
	}
	want("1.2.three", "invalid_trigger_id")
	w.clock.advance(3 * time.Second)
	if _, err := w.client.OpenViewContext(t.Context(), id, form("x")); err != nil {
		t.Errorf("after exactly 3 s: %v", err)
	}
	want(id, "exchanged_trigger_id")
	id = trigger(t, w)
	w.clock.advance(3*time.Second + time.Millisecond)
	want(id, "expired_trigger_id")
	w.clean(t)
}

func TestViewSubmission(t *testing.T) {
	t.Parallel()
	w := start(t)
	v := open(t, w)
	if v.ID == "" || v.Hash == "" || v.RootViewID != v.ID || v.CallbackID != "correct" || v.PrivateMetadata != `{"review":"r1"}` {
		t.Errorf("opened: %+v", v.View)
	}
	got := w.sim.Views("U0ANA")
	if len(got) != 1 || got[0].Title != "Correct" || got[0].Submit != "Save" || len(got[0].Elements()) != 3 {
		t.Fatalf("views: %+v", got)
	}

	// The client itself asks for required inputs and keeps lengths.
	out, err := w.sim.SubmitView(t.Context(), slacksim.Submit{User: "U0ANA", Values: map[string]map[string]slacksim.Input{
		"comment": {"text": {Text: strings.Repeat("x", 21)}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if out.Status != 0 || out.Errors["label"] == "" || out.Errors["comment"] == "" || len(out.Errors) != 2 {
		t.Errorf("client checks: %+v", out)
	}

	w.app.answer("application/json", `{"options":[{"text":{"type":"plain_text","text":"Refund"},"value":"refund"}]}`)
	out, err = w.sim.Suggest(t.Context(), slacksim.Suggest{User: "U0ANA", ViewID: v.ID, ActionID: "find", Query: "ref"})
	if err != nil || len(out.Options) != 1 || out.Options[0].Value != "refund" {
		t.Fatalf("suggest: %+v, %v", out, err)
	}
	if c := w.app.last().call; c.Type != slack.InteractionTypeBlockSuggestion || c.Value != "ref" || c.ActionID != "find" || c.BlockID != "tag" || c.View.ID != v.ID {
		t.Errorf("suggestion payload: %s", w.app.last().body)
	}

	w.app.answer("application/json", `{"response_action":"errors","errors":{"label":"Somebody was faster."}}`)
	values := map[string]map[string]slacksim.Input{
		"label": {"choice": {Option: "NEGATIVE"}}, "tag": {"find": {Option: "refund"}}, "comment": {"text": {Text: "rude"}},
	}
	if out, err = w.sim.SubmitView(t.Context(), slacksim.Submit{User: "U0ANA", Values: values}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{"label": "Somebody was faster."}, out.Errors); d != "" {
		t.Error(d)
	}
	sub := w.app.last().call
	state := sub.View.State.Values
	if sub.Type != slack.InteractionTypeViewSubmission || sub.View.Hash != v.Hash || sub.View.PrivateMetadata != `{"review":"r1"}` ||
		state["label"]["choice"].SelectedOption.Value != "NEGATIVE" || state["tag"]["find"].SelectedOption.Value != "refund" ||
		state["comment"]["text"].Value != "rude" {
		t.Errorf("submission: %s", w.app.last().body)
	}

	w.app.answer("application/json", "")
	if out, err = w.sim.SubmitView(t.Context(), slacksim.Submit{User: "U0ANA"}); err != nil || out.Error != "" {
		t.Fatalf("submit: %+v, %v", out, err)
	}
	if len(w.sim.Views("U0ANA")) != 0 {
		t.Error("still open")
	}
	w.clean(t)
}

func TestSubmissionAnswers(t *testing.T) {
	t.Parallel()
	view := func(title string) string {
		raw, err := json.Marshal(form(title))
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	for _, tc := range []struct {
		name, answer string
		titles       []string
		bad          bool
	}{
		{"clear", `{"response_action":"clear"}`, nil, false},
		{"update", `{"response_action":"update","view":` + view("Next") + `}`, []string{"Next"}, false},
		{"push", `{"response_action":"push","view":` + view("Next") + `}`, []string{"Correct", "Next"}, false},
		{"empty object", `{}`, nil, false},
		{"no JSON", `ok`, []string{"Correct"}, true},
		{"unknown action", `{"response_action":"close"}`, []string{"Correct"}, true},
		{"errors without inputs", `{"response_action":"errors","errors":{"nope":"x"}}`, []string{"Correct"}, true},
		{"errors without any", `{"response_action":"errors"}`, []string{"Correct"}, true},
		{"bad view", `{"response_action":"update","view":{"type":"modal"}}`, []string{"Correct"}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			open(t, w)
			w.app.answer("application/json", tc.answer)
			out, err := w.sim.SubmitView(t.Context(), slacksim.Submit{User: "U0ANA", Values: map[string]map[string]slacksim.Input{"label": {"choice": {Option: "POSITIVE"}}}})
			if err != nil {
				t.Fatal(err)
			}
			var titles []string
			for _, v := range w.sim.Views("U0ANA") {
				titles = append(titles, v.Title)
			}
			if d := cmp.Diff(tc.titles, titles); d != "" {
				t.Error(d)
			}
			if (out.Error == slacksim.BadAnswer) != tc.bad || (len(w.sim.Refused()) > 0) != tc.bad {
				t.Errorf("outcome %+v, refused %+v", out, w.sim.Refused())
			}
			if tc.bad && w.sim.Views("U0ANA")[0].Errors[""] == "" {
				t.Error("the view does not say that something went wrong")
			}
		})
	}
}

func TestUpdateAndPushViews(t *testing.T) {
	t.Parallel()
	w := start(t)
	v := open(t, w)
	if err := w.sim.SetValue("U0ANA", "comment", "text", slacksim.Input{Text: "kept"}); err != nil {
		t.Fatal(err)
	}
	if err := w.sim.SetValue("U0ANA", "label", "choice", slacksim.Input{Option: "POSITIVE"}); err != nil {
		t.Fatal(err)
	}
	next := form("Again")
	next.Blocks.BlockSet[0].(*slack.InputBlock).BlockID = "renamed"
	if _, err := w.client.UpdateViewContext(t.Context(), next, "", "old.hash", v.ID); err == nil || err.Error() != "hash_conflict" {
		t.Errorf("stale hash: %v", err)
	}
	u, err := w.client.UpdateViewContext(t.Context(), next, "", v.Hash, v.ID)
	if err != nil {
		t.Fatal(err)
	}
	if u.ID != v.ID || u.Hash == v.Hash {
		t.Errorf("updated: %+v", u.View)
	}
	got := w.sim.Views("U0ANA")[0].Values
	if got["comment"]["text"]["value"] != "kept" || got["renamed"]["choice"]["selected_option"] != nil {
		t.Errorf("input survives only where ids stay: %v", got)
	}
	if _, err := w.client.UpdateViewContext(t.Context(), next, "", "", "V0NOWHERE"); err == nil || err.Error() != "not_found" {
		t.Errorf("unknown view: %v", err)
	}
	for i, want := range []string{"", "", "push_limit_reached"} {
		_, err := w.client.PushViewContext(t.Context(), trigger(t, w), form("Deeper"))
		if got := errText(err); got != want {
			t.Errorf("push %d: %q, want %q", i+2, got, want)
		}
	}
	if got := w.sim.Views("U0ANA"); len(got) != 3 || got[2].ID == got[1].ID {
		t.Errorf("stack: %d", len(got))
	}
	if _, err := w.sim.CloseView(t.Context(), "U0ANA", false); err != nil {
		t.Fatal(err)
	}
	if c := w.app.last().call; c.Type != slack.InteractionTypeViewClosed || c.IsCleared {
		t.Errorf("closed: %s", w.app.last().body)
	}
	before := len(w.app.requests())
	if _, err := w.sim.CloseView(t.Context(), "U0ANA", true); err != nil {
		t.Fatal(err)
	}
	if n := len(w.app.requests()) - before; n != 2 || !w.app.last().call.IsCleared {
		t.Errorf("%d view_closed for a stack of two", n)
	}
	if _, err := w.sim.CloseView(t.Context(), "U0ANA", true); err == nil {
		t.Error("closed what is not open")
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestViewLimits(t *testing.T) {
	t.Parallel()
	w := start(t)
	noSubmit := form("x")
	noSubmit.Submit = nil
	long := form("x")
	long.PrivateMetadata = strings.Repeat("x", 3001)
	title := form(strings.Repeat("x", 25))
	huge := form("x")
	for range 90 {
		huge.Blocks.BlockSet = append(huge.Blocks.BlockSet, slack.NewSectionBlock(plain(strings.Repeat("x", 2990)), nil, nil))
	}
	twice := form("x")
	twice.Blocks.BlockSet = append(twice.Blocks.BlockSet, slack.NewSectionBlock(plain("x"), nil, nil, slack.SectionBlockOptionBlockID("label")))
	for name, tc := range map[string]struct {
		view        slack.ModalViewRequest
		code, point string
	}{
		"no submit":        {noSubmit, "invalid_arguments", "missing required field: submit [json-pointer:/view]"},
		"private_metadata": {long, "invalid_arguments", "must be less than 3001 characters [json-pointer:/view/private_metadata]"},
		"title":            {title, "invalid_arguments", "must be less than 25 characters [json-pointer:/view/title/text]"},
		"size":             {huge, "view_too_large", ""},
		"block_id":         {twice, "invalid_arguments", "block_id already exists: label [json-pointer:/view/blocks/3/block_id]"},
	} {
		_, err := w.client.OpenViewContext(t.Context(), trigger(t, w), tc.view)
		if err == nil || err.Error() != tc.code {
			t.Errorf("%s: %v, want %s", name, err, tc.code)
			continue
		}
		refused := w.sim.Refused()
		if last := refused[len(refused)-1]; !strings.Contains(last.Problem, tc.point) {
			t.Errorf("%s: %q, want %q", name, last.Problem, tc.point)
		}
	}
}

func TestHome(t *testing.T) {
	t.Parallel()
	w := start(t)
	home := slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: []slack.Block{
		slack.NewActionBlock("b", slack.NewButtonBlockElement("refresh", "1", plain("Refresh"))),
	}}}
	v, err := w.client.PublishViewContext(t.Context(), slack.PublishViewContextRequest{UserID: "U0ANA", View: home})
	if err != nil {
		t.Fatal(err)
	}
	stale := "1.stale"
	if _, err := w.client.PublishViewContext(t.Context(), slack.PublishViewContextRequest{UserID: "U0ANA", View: home, Hash: &stale}); err == nil || err.Error() != "hash_conflict" {
		t.Errorf("stale hash: %v", err)
	}
	if _, ok := w.sim.Home("U0BEN"); ok {
		t.Error("Ben has a home that nobody published")
	}
	if _, err := w.sim.Click(t.Context(), slacksim.Click{User: "U0ANA", ViewID: v.ID, ActionID: "refresh"}); err != nil {
		t.Fatal(err)
	}
	if c := w.app.last().call; c.View.ID != v.ID || c.Container.Type != "view" || c.ResponseURL != "" {
		t.Errorf("payload: %s", w.app.last().body)
	}
	w.clean(t)
}
