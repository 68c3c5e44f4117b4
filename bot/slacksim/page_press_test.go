package slacksim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/slack-go/slack"

	"hitl/bot/slacksim"
)

// A home tab that is published anew between the press and the release of its button does not lose the click.
func TestPageKeepsAPressedButton(t *testing.T) {
	t.Parallel()
	w := start(t, subscribed, func(c *slacksim.Config) { c.Now = time.Now })
	publish := func(words string) {
		t.Helper()
		blocks := []slack.Block{slack.NewActionBlock("row", slack.NewButtonBlockElement("go", "1", plain("Go"))), slack.NewSectionBlock(mrkdwn(words), nil, nil, slack.SectionBlockOptionBlockID(words))}
		if _, err := w.client.PublishView("U0ANA", slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: blocks}}, ""); err != nil {
			t.Fatal(err)
		}
	}
	publish("before")
	ctx := browser(t)
	do(t, ctx, chromedp.Navigate(w.url+"/?user=U0ANA&channel=C0REVIEW&home"), chromedp.WaitVisible(chromedp.CSS("#home button[data-action-id=go]")))
	at, err := chromedp.Run(ctx, chromedp.Evaluate[[]float64](`(() => { const r = document.querySelector("#home button[data-action-id=go]").getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()`))
	if err != nil {
		t.Fatal(err)
	}
	const answers = `performance.getEntriesByType("resource").filter((e) => e.name.includes("/_sim/state")).length`
	do(t, ctx, chromedp.MouseEvent(chromedp.MousePressed, at[0], at[1], chromedp.ButtonLeft, chromedp.ClickCount(1)))
	n, err := chromedp.Run(ctx, chromedp.Evaluate[int](answers))
	if err != nil {
		t.Fatal(err)
	}
	publish("after")
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](fmt.Sprintf("%s > %d", answers, n))); err != nil {
		t.Fatal(err)
	}
	do(t, ctx, chromedp.MouseEvent(chromedp.MouseReleased, at[0], at[1], chromedp.ButtonLeft, chromedp.ClickCount(1)))
	if err := w.sim.Wait(context5(t), func() bool {
		for _, r := range w.app.requests() {
			if a := r.call.ActionCallback.BlockActions; len(a) == 1 && a[0].ActionID == "go" {
				return true
			}
		}
		return false
	}); err != nil {
		t.Fatalf("the click: %v", err)
	}
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](`document.querySelector("#home").textContent.includes("after")`)); err != nil {
		t.Fatal(err)
	}
}
