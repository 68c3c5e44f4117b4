package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hitl"
	"hitl/bot/slacksim"
)

// Texts that the starter model is sure (1.00) and not sure (0.53) of.
const (
	sureText   = "Great phone, works perfectly and I love it."
	unsureText = "I expected more, though the staff were kind."
)

// The stories run the real service against real Postgres, real Redis and the simulated Slack. Each has a world of its own.

func TestSureItem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	it := w.post("sure-1", sureText, http.StatusOK)
	if it.Status != hitl.AIAccepted || it.Label != "POSITIVE" || it.Review != nil {
		t.Errorf("got %+v", it)
	}
	got := w.calledBack(it)
	if got.Status != hitl.AIAccepted || got.ExternalID != "sure-1" {
		t.Errorf("upstream was told %+v", got)
	}
	if diff := cmp.Diff([]hitl.Status{hitl.AIAccepted}, statuses(w.log(it.ID))); diff != "" {
		t.Error(diff)
	}
	if n := len(w.sim.Messages(reviewChannel)); n != 0 {
		t.Errorf("%d messages in Slack, want none", n)
	}
}

func TestUnsureItemAccepted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	it := w.post("unsure-1", unsureText, http.StatusAccepted)
	if it.Status != hitl.HumanReview || it.Label != "" || !slices.Contains(it.Triggers, hitl.TriggerLowConfidence) {
		t.Fatalf("got %+v", it)
	}
	card := w.card(it)
	for _, want := range []string{unsureText, it.AILabel, "shop", "unsure-1"} {
		if !strings.Contains(card.AllText(), want) {
			t.Errorf("card lacks %q: %s", want, card.AllText())
		}
	}
	if out := w.click("U0ANA", card, "Accept"); out.Error != "" {
		t.Fatalf("Ana saw %+v", out)
	}
	w.shows(it, "U0ANA", it.AILabel)
	if left := w.cardNow(it).Elements(); slices.ContainsFunc(left, func(e slacksim.Element) bool { return strings.Contains(e.Text, "Accept") }) {
		t.Errorf("a decided card has buttons: %+v", left)
	}
	got := w.calledBack(it)
	if got.Status != hitl.HumanAccepted || got.Label != it.AILabel || !strings.HasSuffix(got.Reviewer, "/U0ANA") {
		t.Errorf("upstream was told %+v", got)
	}
	entries := w.log(it.ID)
	if diff := cmp.Diff([]hitl.Status{hitl.HumanReview, hitl.HumanAccepted}, statuses(entries)); diff != "" {
		t.Fatal(diff)
	}
	last := entries[1]
	if last.AILabel != it.AILabel || last.Confidence != it.Confidence || !strings.HasSuffix(last.Reviewer, "/U0ANA") ||
		last.TextRef == "" || last.At.IsZero() || len(last.Context) == 0 {
		t.Errorf("log entry lacks something: %+v", last)
	}
}

func TestCorrectedByButton(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	it := w.post("", unsureText, http.StatusAccepted)
	right := other(it.AILabel)
	if out := w.click("U0CHLOE", w.card(it), right); out.Error != "" {
		t.Fatalf("Chloe saw %+v", out)
	}
	w.shows(it, "U0CHLOE", right)
	if got := w.calledBack(it); got.Status != hitl.HumanCorrected || got.Label != right {
		t.Errorf("upstream was told %+v", got)
	}
	if now := w.get(it.ID); now.Status != hitl.HumanCorrected || now.Label != right || now.AILabel != it.AILabel {
		t.Errorf("API says %+v", now)
	}
}

func other(label string) string {
	if label == "POSITIVE" {
		return "NEGATIVE"
	}
	return "POSITIVE"
}

func TestCorrectedByModal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	it := w.post("modal-1", unsureText, http.StatusAccepted)
	right := other(it.AILabel)
	w.correctByModal("U0BEN", it, right, "Irony", "=HYPERLINK(\"http://evil\")")
	w.shows(it, "U0BEN", right)
	w.calledBack(it)
	var row map[string]any
	if err := json.Unmarshal([]byte(w.mustHitl("export", "corrections", "--format", "jsonl")), &row); err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]any{
		"item_id": it.ID, "text": unsureText, "ai_label": it.AILabel, "label": right, "reason": "Irony", "comment": "=HYPERLINK(\"http://evil\")",
	} {
		if row[k] != want {
			t.Errorf("export: %s is %v, want %v", k, row[k], want)
		}
	}
	if csv := w.mustHitl("export", "corrections"); !strings.Contains(csv, "'=HYPERLINK") {
		t.Errorf("CSV would run as a formula: %s", csv)
	}
}

// correctByModal presses Other… and fills in the modal.
func (w *world) correctByModal(user string, it item, label, reason, comment string) {
	w.t.Helper()
	w.click(user, w.card(it), "Other")
	w.fillIn(user, label, reason, comment)
}

// fillIn waits for the form of a verdict, fills it in and sends it.
func (w *world) fillIn(user, label, reason, comment string) {
	w.t.Helper()
	modal := w.modal(user, func(v slacksim.View) bool { return v.Submit != "" })
	values := map[string]map[string]slacksim.Input{}
	for _, e := range modal.Elements() {
		in := slacksim.Input{}
		switch {
		case len(e.Options) > 0:
			for _, o := range e.Options {
				if o.Text == label || o.Text == reason {
					in.Option = o.Value
				}
			}
		case e.Type == "plain_text_input":
			in.Text = comment
		}
		values[e.BlockID] = map[string]slacksim.Input{e.ActionID: in}
	}
	out, err := w.sim.SubmitView(w.t.Context(), slacksim.Submit{User: user, Values: values})
	if err != nil || out.Error != "" || len(out.Errors) > 0 {
		w.t.Fatalf("submit: %+v, %v", out, err)
	}
}

// modal waits for the modal on top of a person's screen to be as it should.
func (w *world) modal(user string, ok func(slacksim.View) bool) slacksim.View {
	w.t.Helper()
	var found slacksim.View
	w.eventually("the right modal of "+user, func() bool {
		views := w.sim.Views(user)
		if len(views) == 0 {
			return false
		}
		found = views[len(views)-1]
		return ok(found)
	})
	return found
}

// Two reviewers click the same card at the same time, differently: one decision stands, the other is told so.
func TestTwoReviewersRace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	it := w.post("race-1", unsureText, http.StatusAccepted)
	card := w.card(it)
	var wg sync.WaitGroup
	for user, button := range map[string]string{"U0ANA": "Accept", "U0BEN": other(it.AILabel)} {
		wg.Go(func() {
			if out, err := w.tryClick(user, card, button); err == nil && out.Error != "" {
				t.Errorf("%s saw %+v", user, out)
			}
		})
	}
	wg.Wait()
	got := w.calledBack(it)
	winner, loser := "U0ANA", "U0BEN"
	if strings.HasSuffix(got.Reviewer, loser) {
		winner, loser = loser, winner
	}
	w.told(loser, winner)
	if n := query[int](w, `SELECT count(*) FROM hitl.decisions`); n != 1 {
		t.Errorf("%d decisions, want 1", n)
	}
	if n := len(w.upstream.of(it)); n != 1 {
		t.Errorf("%d callbacks, want 1", n)
	}
	w.shows(it, winner, got.Label)
}

func TestUnauthorisedClick(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	if err := w.sim.SetGroupMembers("S0REVIEWERS", "U0BEN"); err != nil {
		t.Fatal(err)
	}
	it := w.post("", unsureText, http.StatusAccepted)
	card := w.card(it)
	for _, user := range []string{"U0ANA", "U0EVE"} { // not in the group; of another workspace
		w.click(user, card, "Accept")
		w.eventually(user+" to be answered", func() bool { return len(w.sim.Ephemerals(user)) > 0 })
	}
	if now := w.get(it.ID); now.Status != hitl.HumanReview {
		t.Errorf("strangers decided: %+v", now)
	}
	w.click("U0BEN", card, "Accept")
	w.shows(it, "U0BEN")
}

func TestDuplicateWebhookAndConflict(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	first := w.post("dup-1", unsureText, http.StatusAccepted)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			var again item
			resp := w.request(http.MethodPost, "/v1/items", map[string]any{"id": "dup-1", "text": unsureText, "metadata": map[string]any{"order": "dup-1"}}, &again)
			if resp.status != http.StatusAccepted || resp.header.Get("Idempotent-Replayed") != "true" || again.ID != first.ID {
				t.Errorf("replay: status %d, replayed %q, item %s, want %s", resp.status, resp.header.Get("Idempotent-Replayed"), again.ID, first.ID)
			}
		})
	}
	wg.Wait()
	resp := w.request(http.MethodPost, "/v1/items", map[string]any{"id": "dup-1", "text": "another text"}, nil)
	if resp.status != http.StatusConflict || resp.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("other body: status %d, %s", resp.status, resp.header.Get("Content-Type"))
	}
	w.card(first)
	if n := query[int](w, `SELECT count(*) FROM hitl.items`); n != 1 {
		t.Errorf("%d items, want 1", n)
	}
	if n := len(w.sim.Messages(reviewChannel)); n != 1 {
		t.Errorf("%d cards, want 1", n)
	}
}

// GitHub delivers a hook, and delivers it again; somebody else tries without the secret.
func TestSignedWebhook(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	deliver := func(body, secret string) (answer, item) {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(body))
		var it item
		a := w.requestWith(http.MethodPost, "/v1/hooks/github", body, &it, map[string]string{
			"Content-Type": "application/json", "X-Hub-Signature-256": "sha256=" + hex.EncodeToString(mac.Sum(nil)),
		})
		return a, it
	}
	issue := `{"issue":{"id":4501234567890,"title":"Feedback","body":"` + unsureText + `"},"repository":{"name":"shop"}}`
	first, it := deliver(issue, hookSecret)
	if first.status != http.StatusAccepted || it.ExternalID != "4501234567890" {
		t.Fatalf("status %d: %s", first.status, first.body)
	}
	again, same := deliver(issue, hookSecret)
	if again.status != http.StatusAccepted || again.header.Get("Idempotent-Replayed") != "true" || same.ID != it.ID {
		t.Errorf("delivered again: status %d, item %s, want %s", again.status, same.ID, it.ID)
	}
	if forged, _ := deliver(issue, "guess"); forged.status != http.StatusUnauthorized {
		t.Errorf("forged: status %d", forged.status)
	}
	if odd, _ := deliver(`{"zen":"Keep it logically awesome."}`, hookSecret); odd.status != http.StatusUnprocessableEntity || !strings.Contains(string(odd.body), "no such key") {
		t.Errorf("unmappable: status %d: %s", odd.status, odd.body)
	}
	w.click("U0ANA", w.card(it), "Accept")
	w.shows(it, "U0ANA", "POSITIVE")
	if n := query[int](w, `SELECT count(*) FROM hitl.items`); n != 1 {
		t.Errorf("%d items, want 1", n)
	}
}

func TestRuleAndSampleTriggers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) { s.Rate = 1 })
	sampled := w.post("sample-1", sureText, http.StatusAccepted)
	if diff := cmp.Diff([]hitl.Trigger{hitl.TriggerSample}, sampled.Triggers); diff != "" {
		t.Error(diff)
	}
	refund := w.post("rule-1", sureText+" Thanks for the refund!", http.StatusAccepted)
	if diff := cmp.Diff([]hitl.Trigger{hitl.RuleTrigger("refund")}, refund.Triggers); diff != "" {
		t.Error(diff)
	}
	w.shows(refund, "refund")
	w.shows(sampled, "sample")
	if got := query[string](w, `SELECT priority FROM hitl.reviews WHERE item_id = $1`, refund.ID); got != "urgent" {
		t.Errorf("priority %s, want urgent", got)
	}
}

func TestModelErrorGoesToAPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) { s.Model = brokenModel(t) })
	it := w.post("broken-1", sureText, http.StatusAccepted)
	if diff := cmp.Diff([]hitl.Trigger{hitl.TriggerModelError}, it.Triggers); diff != "" {
		t.Error(diff)
	}
	card := w.card(it)
	if _, err := w.tryClick("U0ANA", card, "Accept"); err == nil {
		t.Error("there was nothing to accept, but a button for it")
	}
	if out := w.click("U0ANA", card, "NEGATIVE"); out.Error != "" {
		t.Fatalf("Ana saw %+v", out)
	}
	w.shows(it, "NEGATIVE", "U0ANA")
}

func TestOverLongText(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	text := strings.Repeat("This is wonderful and I love it. ", 400)
	it := w.post("long-1", text, http.StatusAccepted)
	if !slices.Contains(it.Triggers, hitl.TriggerTruncated) {
		t.Errorf("triggers %v", it.Triggers)
	}
	card := w.card(it)
	if strings.Contains(card.AllText(), text) {
		t.Error("the card holds all of the text")
	}
	w.click("U0ANA", card, "Details")
	w.modal("U0ANA", func(v slacksim.View) bool { return strings.Count(v.AllText(), "wonderful") == 400 })
}

func TestHostileTexts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) { s.Rate = 1 })
	for name, text := range map[string]string{
		"mentions": "hey <!channel> <@U0BEN> <!subteam^S0REVIEWERS> @here <http://evil.example|click>",
		"control":  "a\u0001b\u0007c\u001b[31mred\u0000nul\u007f",
		"bidi":     "abc\u202edef\u2066ghi\u200f",
		"markdown": "*bold* _it_ `code` ```block``` > quote\n```\nevil",
		"huge":     strings.Repeat("ab \u00e9 ", 1<<17)[:1<<19],
		"odd":      strings.Repeat("\u0301", 500) + "\u200b\ufeff\U0001F469\u200d\U0001F469",
	} {
		it := w.post("hostile-"+name, text, http.StatusAccepted)
		card := w.card(it)
		if len(card.Mentions) > 0 {
			t.Errorf("%s mentions %v", name, card.Mentions)
		}
		if strings.ContainsAny(card.AllText(), "\u202e\u2066\u0000\u001b") {
			t.Errorf("%s reaches the card raw: %q", name, card.AllText())
		}
		w.click("U0ANA", card, "Accept")
		w.shows(it, "U0ANA")
		if stored := w.mustHitl("export", "items", "--format", "jsonl"); !strings.Contains(stored, it.ID) {
			t.Errorf("%s is not exported", name)
		}
	}
	// What JSON cannot say is refused, or read as the standard says, never a crash.
	resp := w.request(http.MethodPost, "/v1/items", "{\"id\":\"bad\",\"text\":\"bad \xff\xfe utf-8 <!here>\"}", nil)
	if resp.status >= 500 {
		t.Errorf("invalid UTF-8: status %d %s", resp.status, resp.body)
	}
	resp = w.request(http.MethodPost, "/v1/items", map[string]any{"text": strings.Repeat("a", hitl.MaxTextBytes+1)}, nil)
	if resp.status != http.StatusUnprocessableEntity && resp.status != http.StatusRequestEntityTooLarge {
		t.Errorf("text over the limit: status %d", resp.status)
	}
}

func TestCallbackFailsThenSucceeds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.upstream.mu.Lock()
	w.upstream.fail = 2
	w.upstream.mu.Unlock()
	it := w.post("retry-1", sureText, http.StatusOK)
	w.calledBack(it)
	got := w.upstream.of(it)
	if len(got) != 3 {
		t.Fatalf("%d attempts, want 3", len(got))
	}
	for _, d := range got[1:] {
		if d.id != got[0].id || d.body != got[0].body {
			t.Errorf("attempt differs: %s, %s", d.id, d.body)
		}
	}
}

func TestDeadCallbackIsRetried(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.upstream.mu.Lock()
	w.upstream.fail = 4 // the first attempt and three more
	w.upstream.mu.Unlock()
	it := w.post("dead-1", sureText, http.StatusOK)
	w.eventually("the callback to die", func() bool { return strings.Contains(w.mustHitl("callbacks", "list"), it.ID) })
	if out := w.mustHitl("callbacks", "retry", "--all"); !strings.HasPrefix(out, "1 callbacks") {
		t.Errorf("retry printed %q", out)
	}
	w.calledBack(it)
	got := w.upstream.of(it)
	if last := got[len(got)-1]; len(got) != 5 || last.id != got[0].id || last.body != got[0].body {
		t.Errorf("%d attempts, ids %s and %s", len(got), got[0].id, last.id)
	}
}

func TestRestartWithCardsOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	it := w.post("restart-1", unsureText, http.StatusAccepted)
	card := w.card(it)
	w.stop()
	if out := w.click("U0ANA", card, "Accept"); out.Error == "" {
		t.Error("a click on a stopped service was ticked")
	}
	w.start()
	if out := w.click("U0ANA", card, "Accept"); out.Error != "" {
		t.Fatalf("after the restart Ana saw %+v", out)
	}
	w.shows(it, "U0ANA")
	w.calledBack(it)
	if n := len(w.sim.Messages(reviewChannel)); n != 1 {
		t.Errorf("%d cards, want 1", n)
	}
}

// Redis loses everything while reviews wait for room on the channel: they come back by themselves, each once.
func TestRedisEmptied(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) { s.OpenLimit = 1 })
	var items []item
	for i := range 4 {
		items = append(items, w.post(fmt.Sprint("lost-", i), unsureText, http.StatusAccepted))
	}
	w.eventually("the first card", func() bool { return len(w.sim.Messages(reviewChannel)) == 1 })
	w.emptyRedis()
	if out := w.mustHitl("queue", "rebuild"); !strings.Contains(out, "support") {
		t.Errorf("rebuild printed %q", out)
	}
	done := map[string]bool{}
	for range items {
		var next slacksim.Message
		w.eventually("the next card", func() bool {
			for _, m := range w.sim.Messages(reviewChannel) {
				if !done[m.TS] {
					next = m
					return true
				}
			}
			return false
		})
		w.click("U0ANA", next, "Accept")
		done[next.TS] = true
	}
	for _, it := range items {
		w.shows(it, "U0ANA")
	}
	if n := len(w.sim.Messages(reviewChannel)); n != len(items) {
		t.Errorf("%d cards, want %d", n, len(items))
	}
}

func TestReviewExpires(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) { s.Expire = 300e6 })
	it := w.post("late-1", unsureText, http.StatusAccepted)
	card := w.card(it)
	if got := w.calledBack(it); got.Status != hitl.Expired || got.Label != "" {
		t.Errorf("upstream was told %+v", got)
	}
	w.shows(it, "xpired")
	if out, err := w.tryClick("U0ANA", card, "Accept"); err == nil && out.Error != "" {
		t.Errorf("a late click saw %+v", out)
	}
	if now := w.get(it.ID); now.Status != hitl.Expired {
		t.Errorf("API says %+v", now)
	}
}

func TestStatsEverywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.post("", sureText, http.StatusOK)
	it := w.post("", unsureText, http.StatusAccepted)
	w.click("U0ANA", w.card(it), other(it.AILabel))
	w.shows(it, "U0ANA")

	var api hitl.Stats
	w.request(http.MethodGet, "/v1/stats?since=24h", nil, &api)
	var cmd hitl.Stats
	if err := json.Unmarshal([]byte(w.mustHitl("stats", "--json")), &cmd); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]hitl.Stats{"API": api, "command": cmd} {
		if s.Items != 2 || s.AIAccepted != 1 || s.Reviewed != 1 || s.Corrected != 1 || s.ReviewRate != 0.5 || s.CorrectionRate != 1 {
			t.Errorf("%s says %+v", name, s)
		}
	}
	if out, err := w.sim.Command(t.Context(), "U0ANA", reviewChannel, "/hitl", "stats 24h"); err != nil || out.Error != "" {
		t.Fatalf("/hitl stats: %+v, %v", out, err)
	}
	w.told("U0ANA", "50.0%")
	charts := slices.ContainsFunc(w.sim.Ephemerals("U0ANA"), func(m slacksim.Message) bool {
		return slices.ContainsFunc(m.Blocks, func(b slacksim.Block) bool { return b["type"] == "data_visualization" })
	})
	if !charts {
		t.Error("/hitl stats shows no chart")
	}
	if resp := w.request(http.MethodGet, w.metrics+"/metrics", nil, nil); resp.status != http.StatusOK {
		t.Errorf("metrics: status %d", resp.status)
	} else {
		for _, want := range []string{
			`hitl_items_total{source="shop",status="HUMAN_REVIEW"} 1`, `hitl_review_triggers_total{source="shop",trigger="low_confidence"} 1`,
			`hitl_reviews_open{queue="support"} 0`, `hitl_decisions_total{ai_label="` + it.AILabel + `",queue="support",status="HUMAN_CORRECTED"} 1`,
		} {
			if !strings.Contains(string(resp.body), want) {
				t.Errorf("metrics lack %s", want)
			}
		}
	}
}

// What an operator asks beside the running service.
func TestOperatorCommands(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) { s.OpenLimit = 1 })
	first := w.post("op-1", unsureText, http.StatusAccepted)
	w.card(first)
	second := w.post("op-2", unsureText, http.StatusAccepted)
	var listings []queueListing
	w.eventually("the second review to wait", func() bool {
		if err := json.Unmarshal([]byte(w.mustHitl("queue", "list", "--json")), &listings); err != nil {
			t.Fatal(err)
		}
		return len(listings) == 1 && listings[0].Open == 2 && listings[0].OnCards == 1 && listings[0].Waiting == 1
	})
	if out := w.mustHitl("queue", "list", "support"); !strings.Contains(out, second.Review.ID) || strings.Contains(out, first.Review.ID) {
		t.Errorf("queue list printed %s", out)
	}
	if _, err := w.hitl("queue", "list", "nothing"); err == nil || !strings.Contains(err.Error(), "not configured") {
		t.Errorf("unknown queue: %v", err)
	}
	version := query[string](w, `SELECT policy FROM hitl.items LIMIT 1`)
	if out := w.mustHitl("policy", "history"); !strings.Contains(out, version) {
		t.Errorf("policy history lacks %s: %s", version, out)
	}
	if out := w.mustHitl("policy", "history", "sentiment", "--text"); !strings.Contains(out, `item.text.contains(\"refund\")`) {
		t.Errorf("policy history lacks the rule: %s", out)
	}
	if out := w.mustHitl("callbacks", "list"); out != "no dead callbacks\n" {
		t.Errorf("callbacks list printed %q", out)
	}
	file := filepath.Join(w.dir, "items.csv")
	w.mustHitl("export", "items", "--output", file)
	if data, err := os.ReadFile(file); err != nil || strings.Count(string(data), unsureText) != 2 {
		t.Errorf("export wrote %q, %v", data, err)
	}
	if out := w.mustHitl("migrate"); !strings.Contains(out, "schema is up to date") {
		t.Errorf("migrate printed %q", out)
	}
}

func TestLongPollAndBacklog(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) { s.Backlog = 1 })
	it := w.post("wait-1", unsureText, http.StatusAccepted)
	card := w.card(it)
	waited := make(chan item, 1)
	go func() {
		var got item
		w.request(http.MethodGet, "/v1/items/"+it.ID+"?wait=30s", nil, &got)
		waited <- got
	}()
	w.eventually("the backlog to be full", func() bool {
		resp := w.request(http.MethodPost, "/v1/items", map[string]any{"id": "over", "text": unsureText}, nil)
		if resp.status == http.StatusServiceUnavailable && resp.header.Get("Retry-After") == "" {
			t.Error("503 without Retry-After")
		}
		return resp.status == http.StatusServiceUnavailable
	})
	w.click("U0ANA", card, "Accept")
	if got := <-waited; got.Status != hitl.HumanAccepted {
		t.Errorf("the waiting upstream got %+v", got)
	}
}
