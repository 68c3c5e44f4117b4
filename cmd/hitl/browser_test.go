package main

import (
	"context"
	"flag"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"hitl"
	"hitl/deploy/local/localtest"
)

var updatePictures = flag.Bool("update-pictures", false, "take the README's pictures anew")

// browser starts a headless Chromium.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := localtest.Browser(t)
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1280, 860), chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-quic", true),
	)
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel) // waits until the browser has ended
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("start browser: %v", err)
	}
	ctx, cancel = context.WithTimeout(ctx, 90*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// TestPage is a reviewer's minute in the browser: an unsure item appears, is corrected through the modal, and /hitl stats answers.
func TestPage(t *testing.T) {
	ctx := browser(t)
	w := newWorld(t, nil)
	do := func(what string, steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, steps...); err != nil {
			t.Fatalf("%s: %v; Slack shows %s", what, err, w.screen())
		}
	}
	read := func(selector string) string {
		t.Helper()
		text, err := chromedp.Run(ctx, chromedp.Text(selector))
		if err != nil {
			t.Fatalf("read %s: %v", selector, err)
		}
		return text
	}
	first := w.post("order-4711", "Good phone, but the battery died after a day.", http.StatusAccepted)
	w.click("U0BEN", w.card(first), "Accept")
	w.shows(first, "U0BEN")
	it := w.post("order-4712", unsureText, http.StatusAccepted)
	card := w.card(it)

	message := `[data-ts="` + card.TS + `"]`
	do("open the page", chromedp.Navigate(w.slackURL+"/?user=U0ANA&channel="+reviewChannel),
		chromedp.WaitVisible(`body[data-ready]`), chromedp.WaitVisible(message))
	text := read(message)
	for _, want := range []string{unsureText, it.AILabel, "order-4712"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page's card lacks %q: %s", want, text)
		}
	}
	picture(t, ctx, "docs/page.png", chromedp.CaptureScreenshot())
	picture(t, ctx, "docs/card.png", chromedp.Screenshot(message))

	right := other(it.AILabel)
	do("open the modal", chromedp.Click(message+` button[data-action-id="hitl_other"]`), chromedp.WaitVisible(`dialog#modal #modal-submit`))
	do("fill in the modal",
		chromedp.Evaluate[chromedp.Void](`(() => {
			const s = document.querySelector('dialog#modal select[data-action-id="label"]');
			s.value = [...s.options].find(o => o.textContent.trim() === "`+right+`").value;
			s.dispatchEvent(new Event("change", {bubbles: true}));
		})()`),
		chromedp.SendKeys(`dialog#modal [data-action-id="comment"]`, "Kind staff, unhappy customer."))
	picture(t, ctx, "docs/modal.png", chromedp.CaptureScreenshot())
	do("submit the modal", chromedp.Click(`#modal-submit`), chromedp.WaitNotPresent(message+` button[data-action-id="hitl_other"]`))
	text = read(message)
	if !strings.Contains(text, right) || !strings.Contains(text, "Kind staff, unhappy customer.") {
		t.Errorf("the decided card says %s", text)
	}
	if got := w.calledBack(it); got.Status != hitl.HumanCorrected || got.Label != right || got.Comment != "Kind staff, unhappy customer." {
		t.Errorf("upstream was told %+v", got)
	}

	do("ask for statistics", chromedp.SendKeys(`#composer`, "/hitl stats 24h"), chromedp.Click(`#send`),
		chromedp.WaitVisible(`[data-ephemeral] svg[data-chart]`))
	if text := read(`[data-ephemeral]`); !strings.Contains(text, "50.0%") { // of the two decisions, one was a correction
		t.Errorf("/hitl stats says %s", text)
	}
	picture(t, ctx, "docs/stats.png", chromedp.CaptureScreenshot())
}

// TestDeskPage looks at what reviewers have before them all day: a card with its tools, details, the home tab with a batch, and both on a phone,
// where nothing may be wider than the screen.
func TestDeskPage(t *testing.T) {
	ctx := browser(t)
	w := newWorld(t, func(s *storySettings) { s.Merge = true })
	do := func(what string, steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, steps...); err != nil {
			t.Fatalf("%s: %v; Slack shows %s", what, err, w.screen())
		}
	}
	reads := func(selector string, words ...string) {
		t.Helper()
		text, err := chromedp.Run(ctx, chromedp.Text(selector))
		if err != nil {
			t.Fatalf("read %s: %v", selector, err)
		}
		for _, word := range words {
			if !strings.Contains(text, word) {
				t.Errorf("%s lacks %q: %s", selector, word, text)
			}
		}
	}
	fits := func(what string) {
		t.Helper()
		const widest = `Math.max(document.documentElement.scrollWidth, ...[...document.querySelectorAll("#messages, #home, #modal-body")].map((n) => n.scrollWidth))`
		if width, err := chromedp.Run(ctx, chromedp.Evaluate[int](widest)); err != nil || width > 375 {
			t.Errorf("%s is %d px wide on a phone of 375, %v", what, width, err)
		}
	}
	texts := []string{unsureText, "Not what I ordered, though it works.", "It does what it says, I expected more.", "Good sound, poor cable."}
	var items []item
	for i, text := range texts {
		items = append(items, w.post("order-"+strconv.Itoa(4711+i), text, http.StatusAccepted))
	}
	twin := w.post("order-4800", strings.ToUpper(unsureText), http.StatusAccepted)
	card := w.card(items[0])
	message := `[data-ts="` + card.TS + `"]`
	do("open the page", chromedp.Navigate(w.slackURL+"/?user=U0ANA&channel="+reviewChannel), chromedp.WaitVisible(`body[data-ready]`),
		chromedp.WaitVisible(message))
	do("claim", chromedp.Click(message+` button[data-action-id="hitl_claim"]`), chromedp.WaitVisible(message+` button[data-action-id="hitl_release"]`))
	reads(message, "Claimed by", "Extend", "Release", "Skip…")
	do("open details", chromedp.Click(message+` button[data-action-id="hitl_text"]`), chromedp.WaitVisible(`#modal-body [data-block-id], #modal-body pre, #modal-body .rich-text`))
	w.eventually("details", func() bool {
		text, err := chromedp.Run(ctx, chromedp.Text(`#modal-body`))
		return err == nil && strings.Contains(text, "%") && strings.Contains(text, unsureText)
	})
	picture(t, ctx, "docs/details.png", chromedp.CaptureScreenshot())
	do("close details", chromedp.Click(`#modal-close`), chromedp.WaitNotVisible(`dialog#modal`))

	do("open the home tab", chromedp.Click(`#home-tab`), chromedp.WaitVisible(`#home [data-action-id="hitl_pick"]`))
	reads(`#home`, "Your reviews", "Not what I ordered", "Good sound")
	picture(t, ctx, "docs/home.png", chromedp.CaptureScreenshot())

	do("take a phone", chromedp.EmulateViewport(375, 740, chromedp.EmulateMobile, chromedp.EmulateTouch),
		chromedp.Navigate(w.slackURL+"/?user=U0ANA&channel="+reviewChannel), chromedp.WaitVisible(`body[data-ready]`), chromedp.WaitVisible(message))
	fits("the channel")
	picture(t, ctx, "docs/phone.png", chromedp.CaptureScreenshot())
	do("details on the phone", chromedp.Click(message+` button[data-action-id="hitl_text"]`), chromedp.WaitVisible(`#modal-body`))
	w.eventually("details on the phone", func() bool {
		text, err := chromedp.Run(ctx, chromedp.Text(`#modal-body`))
		return err == nil && strings.Contains(text, unsureText)
	})
	fits("details")
	do("close details on the phone", chromedp.Click(`#modal-close`), chromedp.WaitNotVisible(`dialog#modal`))
	do("accept on the phone", chromedp.Click(message+` button[data-action-id="hitl_accept"]`), chromedp.WaitNotPresent(message+` button[data-action-id="hitl_other"]`))
	reads(message, "Accepted", "Ana")
	w.eventually("the identical item is decided, too", func() bool { return w.get(twin.ID).Status == hitl.HumanAccepted })
}

// picture takes a picture for the README when asked to.
func picture(t *testing.T, ctx context.Context, path string, take chromedp.Action[[]byte]) {
	t.Helper()
	if !*updatePictures {
		return
	}
	png, err := chromedp.Run(ctx, take)
	if err == nil {
		err = os.WriteFile("../../"+path, png, 0o644)
	}
	if err != nil {
		t.Fatalf("take %s: %v", path, err)
	}
}
