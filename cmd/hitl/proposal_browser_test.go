package main

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// What hitl advise proposes is a card with its numbers and a chart; its owner accepts it in the browser, after a question, and the card says who did.
func TestProposalPage(t *testing.T) {
	ctx := browser(t)
	w := newWorld(t, func(s *storySettings) { s.Rate = 0.2; s.Queue = "    owners: {users: [U0ANA]}" })
	w.history(w.ledger(), 1500, func(c float64) float64 { return min(1, 0.8+0.25*(c-0.5)/0.5) })
	w.mustHitl("advise", "--risk", "0.05", "--confidence", "0.9", "--propose")
	ts := ""
	w.eventually("the proposal is posted", func() bool {
		for _, m := range w.sim.Messages(reviewChannel) {
			if strings.Contains(m.Text, "Proposal: other thresholds for sentiment") {
				ts = m.TS
			}
		}
		return ts != ""
	})
	message := `[data-ts="` + ts + `"]`
	do := func(what string, steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, steps...); err != nil {
			t.Fatalf("%s: %v; Slack shows %s", what, err, w.screen())
		}
	}
	do("open the page", chromedp.EmulateViewport(1280, 1100), chromedp.Navigate(w.slackURL+"/?user=U0ANA&channel="+reviewChannel), chromedp.WaitVisible(`body[data-ready]`),
		chromedp.WaitVisible(message+` button[data-action-id="hitl_proposal_accept"]`))
	text, err := chromedp.Run(ctx, chromedp.Text(message))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"at most 5% is wrong, with 90% confidence", "People would see", "What each threshold brings", "an owner of the queue decides"} {
		if !strings.Contains(text, want) {
			t.Errorf("the card lacks %q: %s", want, text)
		}
	}
	picture(t, ctx, "docs/proposal.png", chromedp.Screenshot(message))
	do("accept", chromedp.Click(message+` button[data-action-id="hitl_proposal_accept"]`), chromedp.WaitVisible(`#confirm-yes`))
	do("be sure", chromedp.Click(`#confirm-yes`))
	w.eventually("the card says who accepted", func() bool {
		text, err := chromedp.Run(ctx, chromedp.Text(message))
		return err == nil && strings.Contains(text, "Accepted by @Ana Ruiz")
	})
}
