package slacksim_test

import (
	"context"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/slack-go/slack"

	"hitl/bot/slacksim"
	"hitl/deploy/local/localtest"
)

// browser starts a headless Chromium and reports everything that pages write to the console as a failure.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := localtest.Browser(t)
	dir, err := os.MkdirTemp("", "slacksim-browser")
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(dir), chromedp.WindowSize(1280, 860), chromedp.Flag("disable-component-update", true))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	var wait sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		stop()
		wait.Wait()
		_ = os.RemoveAll(dir) // the browser's children may still hold files
	})
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("start the browser: %v", err)
	}
	messages := chromedp.Console(ctx)
	wait.Go(func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			t.Errorf("console: %v", m)
		}
	})
	return ctx
}

func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	limited, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for i, step := range steps {
		if err := chromedp.Do(limited, step); err != nil {
			t.Fatalf("step %d: %v", i+1, err)
		}
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *slacksim.Config) { c.Now = time.Now })
	w.app.respond = func(rw http.ResponseWriter, got received) {
		if got.call.Type == slack.InteractionTypeBlockActions && got.call.ActionCallback.BlockActions[0].ActionID == "other" {
			if _, err := w.client.OpenView(got.call.TriggerID, form("Correct")); err != nil {
				t.Errorf("open view: %v", err)
			}
		}
		if got.call.Type == slack.InteractionTypeBlockSuggestion {
			rw.Header().Set("Content-Type", "application/json")
			_, _ = rw.Write([]byte(`{"options":[{"text":{"type":"plain_text","text":"Refund"},"value":"refund"}]}`))
		}
		if got.slash.Command != "" {
			_, _ = rw.Write([]byte("12 items wait"))
		}
	}
	const hostile = `<img src=x onerror="document.title='owned'"><script>alert(1)</script>`
	escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(hostile)
	ts := post(t, w, "C0REVIEW", slack.MsgOptionText("card", false), slack.MsgOptionBlocks(
		slack.NewSectionBlock(mrkdwn("> *Late* parcel "+escaped), []*slack.TextBlockObject{mrkdwn("*Label*\nNEGATIVE"), plain("Confidence 58%")}, nil),
		slack.NewActionBlock("decide", slack.NewButtonBlockElement("accept", "r1", plain("Accept")).WithStyle(slack.StylePrimary),
			slack.NewButtonBlockElement("other", "r1", plain("Other…")))))
	ctx := browser(t)
	do(t, ctx,
		chromedp.Navigate(w.url+"/?user=U0ANA&channel=C0REVIEW"),
		chromedp.WaitVisible(chromedp.CSS("body[data-ready]")),
		chromedp.WaitVisible(chromedp.CSS(`[data-ts="`+ts+`"] button[data-action-id=accept]`)))
	shown, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS(`[data-ts="`+ts+`"]`)))
	if err != nil || !strings.Contains(shown, hostile) {
		t.Errorf("hostile text is not shown as it is: %q, %v", shown, err)
	}
	owned, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`document.querySelector("#messages img, #messages script") !== null || document.title === "owned"`))
	if err != nil || owned {
		t.Errorf("hostile text became HTML: %v", err)
	}
	if title, err := chromedp.Run(ctx, chromedp.Title()); err != nil || title != "review · Slack simulator" {
		t.Errorf("title %q, %v", title, err)
	}

	// A required input, an external select, and the submission.
	do(t, ctx,
		chromedp.Click(chromedp.CSS(`button[data-action-id=other]`)),
		chromedp.WaitVisible(chromedp.CSS(`dialog#modal[open]`)),
		chromedp.Click(chromedp.CSS(`#modal-submit`)),
		chromedp.WaitVisible(chromedp.CSS(`[data-error-for=label]`)),
		chromedp.Click(chromedp.CSS(`input[data-action-id=choice][value=NEGATIVE]`)),
		chromedp.SendKeys(chromedp.CSS(`[role=combobox][data-action-id=find]`), "ref"),
		chromedp.WaitVisible(chromedp.CSS(`[role=option][data-value=refund]`)),
		chromedp.Click(chromedp.CSS(`[role=option][data-value=refund]`)),
		chromedp.SendKeys(chromedp.CSS(`textarea[data-action-id=text]`), "rude"),
		chromedp.Click(chromedp.CSS(`#modal-submit`)),
		chromedp.WaitNotVisible(chromedp.CSS(`dialog#modal`)))
	state := w.app.last().call.View.State.Values
	if state["label"]["choice"].SelectedOption.Value != "NEGATIVE" || state["tag"]["find"].SelectedOption.Value != "refund" || state["comment"]["text"].Value != "rude" {
		t.Errorf("submission: %s", w.app.last().body)
	}

	// What others do appears by itself; commands answer to one user only.
	if _, _, _, err := w.client.UpdateMessageContext(t.Context(), "C0REVIEW", ts, slack.MsgOptionText("Decided by <@U0BEN>", false)); err != nil {
		t.Fatal(err)
	}
	do(t, ctx,
		chromedp.WaitNotPresent(chromedp.CSS(`button[data-action-id=accept]`)),
		chromedp.WaitVisible(chromedp.CSS(`[data-ts="`+ts+`"] .mention`)),
		chromedp.SendKeys(chromedp.CSS("#composer"), "/hitl stats"),
		chromedp.Click(chromedp.CSS("#send")),
		chromedp.WaitVisible(chromedp.CSS("[data-ephemeral]")),
		chromedp.Evaluate[chromedp.Void](`const s = document.querySelector("#user-switch"); s.value = "U0BEN"; s.dispatchEvent(new Event("change"))`),
		chromedp.WaitNotPresent(chromedp.CSS("[data-ephemeral]")),
		chromedp.Click(chromedp.CSS("[data-channel=C0ESCALATE]")),
		chromedp.WaitVisible(chromedp.CSS("[data-channel=C0ESCALATE][aria-current=page]")))
	w.clean(t)
}

// On a phone: threads, the menu of a message with its shortcuts, the home tab with what one chooses in it, and direct messages.
func TestPageOnAPhone(t *testing.T) {
	t.Parallel()
	w := start(t, subscribed, withShortcuts, func(c *slacksim.Config) { c.Now = time.Now })
	w.app.respond = func(_ http.ResponseWriter, got received) {
		if strings.Contains(string(got.body), `"app_home_opened"`) && len(w.sim.Calls("views.publish")) == 0 {
			blocks := append(chooser(), slack.NewInputBlock("name", plain("Name"), nil, slack.NewPlainTextInputBlockElement(nil, "text")))
			if _, err := w.client.PublishView("U0ANA", slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: blocks}}, ""); err != nil {
				t.Errorf("publish: %v", err)
			}
		}
	}
	ts := post(t, w, "C0REVIEW", slack.MsgOptionText("card", false), slack.MsgOptionBlocks(append(chooser(),
		slack.NewSectionBlock(mrkdwn("*Late* parcel"), []*slack.TextBlockObject{mrkdwn("*Label*\nNEGATIVE"), plain("Confidence 58%")}, nil))...))
	ctx := browser(t)
	css := func(s string) chromedp.Action[chromedp.Void] { return chromedp.Click(chromedp.CSS(s)) }
	seen := func(s string) chromedp.Action[chromedp.Void] { return chromedp.WaitVisible(chromedp.CSS(s)) }
	card := `[data-ts="` + ts + `"] > .message-menu `
	fits := func(what string) {
		t.Helper()
		width, err := chromedp.Run(ctx, chromedp.Evaluate[int](`Math.max(document.documentElement.scrollWidth, ...[...document.querySelectorAll("#messages, #home, #modal-body")].map((n) => n.scrollWidth))`))
		if err != nil || width > 375 {
			t.Errorf("%s is %d px wide, %v", what, width, err)
		}
	}
	until := func(what string, ok func() bool) {
		t.Helper()
		if err := w.sim.Wait(context5(t), ok); err != nil {
			t.Fatalf("%s: %v; deliveries %+v", what, err, w.sim.Deliveries())
		}
	}
	do(t, ctx,
		chromedp.EmulateViewport(375, 740, chromedp.EmulateMobile, chromedp.EmulateTouch),
		chromedp.Navigate(w.url+"/?user=U0ANA&channel=C0REVIEW"), seen("body[data-ready]"),
		css(card+".more"), seen(card+`[data-callback-id=report]`))
	fits("menu")

	// A reply, that is edited and deleted.
	do(t, ctx, css(card+"[data-do=reply]"), seen("#reply"), chromedp.SendKeys(chromedp.CSS("#reply"), "I know them"))
	post(t, w, "C0REVIEW", slack.MsgOptionText("somebody else writes", false), slack.MsgOptionTS(ts)) // and the box stays
	until("reply of another", func() bool { return len(w.sim.Messages("C0REVIEW")) == 2 })
	do(t, ctx, seen(`[data-ts="`+ts+`"] .replies .message`), chromedp.KeyEvent(" well"), css("#reply-send"))
	until("reply", func() bool { return len(w.sim.Messages("C0REVIEW")) == 3 })
	reply := w.sim.Messages("C0REVIEW")[2]
	if reply.Text != "I know them well" || reply.ThreadTS != ts || reply.User != "U0ANA" {
		t.Errorf("reply %+v", reply)
	}
	own := `[data-ts="` + reply.TS + `"] > .message-menu `
	do(t, ctx, seen(own+".more"), css("#reply-cancel"), chromedp.WaitNotPresent(chromedp.CSS("#reply")), css(own+".more"), css(own+"[data-do=edit]"), seen("#edit-box"))
	fits("edit")
	do(t, ctx, chromedp.SendKeys(chromedp.CSS("#edit-box"), "!"), css("#edit-save"))
	until("edited", func() bool { m, _ := w.sim.Message("C0REVIEW", reply.TS); return m.Text == "I know them well!" })
	do(t, ctx, seen(`[data-ts="`+reply.TS+`"] .edited`), css(own+".more"), css(own+"[data-do=delete]"), seen("#confirm-yes"), css("#confirm-yes"),
		chromedp.WaitNotPresent(chromedp.CSS(`[data-ts="`+reply.TS+`"]`)))

	// Shortcuts.
	do(t, ctx, css(card+".more"), css(card+"[data-callback-id=report]"))
	called := func(kind slack.InteractionType, callback string) func() bool {
		return func() bool {
			for _, r := range w.app.requests() {
				if r.call.Type == kind && r.call.CallbackID == callback {
					return true
				}
			}
			return false
		}
	}
	until("message shortcut", called(slack.InteractionTypeMessageAction, "report"))
	do(t, ctx, css("#shortcuts-button"), css("#shortcuts [data-callback-id=new]"))
	until("global shortcut", called(slack.InteractionTypeShortcut, "new"))

	// The home tab: a select, a multi-select, a text that a button takes along.
	slid := func(where string) { // what slides takes the clicks meant for others
		t.Helper()
		if _, err := chromedp.Run(ctx, chromedp.Poll[bool](`document.querySelector("#sidebar").getBoundingClientRect().`+where)); err != nil {
			t.Fatal(err)
		}
	}
	do(t, ctx, css("#menu"))
	slid("left === 0")
	do(t, ctx, css("#home-tab"), seen("#home [data-action-id=sel]"),
		chromedp.Evaluate[chromedp.Void](`const s = document.querySelector("#home [data-action-id=sel]"); s.value = "b"; s.dispatchEvent(new Event("change"))`))
	slid("right <= 0")
	until("select", func() bool { v, _ := w.sim.Home("U0ANA"); return v.Values["row"]["sel"]["selected_option"] != nil })
	do(t, ctx, css("#home [data-multi=multi]"), css("#home input[data-action-id=multi][value=m1]"))
	fits("home")
	do(t, ctx, chromedp.KeyEvent("\u001b"), chromedp.SendKeys(chromedp.CSS("#home input[data-action-id=text]"), "Ana"))
	do(t, ctx, css("#home button[data-action-id=go]"))
	until("button", func() bool {
		all := w.app.requests()
		for _, r := range all {
			if a := r.call.ActionCallback.BlockActions; len(a) == 1 && a[0].ActionID == "go" {
				got := r.call.View.State.Values
				return got["row"]["sel"].SelectedOption.Value == "b" && len(got["several"]["multi"].SelectedOptions) == 2 && got["name"]["text"].Value == "Ana"
			}
		}
		return false
	})

	// Direct messages.
	do(t, ctx, css("#tab-messages"), seen("#tab-messages[aria-selected=true]"), chromedp.SendKeys(chromedp.CSS("#composer"), "hello app"), css("#send"))
	until("direct message", func() bool {
		all := w.sim.Messages(w.sim.DM("U0ANA"))
		return len(all) == 1 && all[0].Text == "hello app" && all[0].User == "U0ANA"
	})
	do(t, ctx, seen("#messages .message"))
	fits("direct messages")
	if got := w.inner(t); !slices.Contains(got, "message im U0ANA hello app") || !slices.Contains(got, "app_home_opened U0ANA messages") {
		t.Errorf("events %q", got)
	}
	w.clean(t)
}
