package slacksim_test

import (
	"context"
	"net/http"
	"os"
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
