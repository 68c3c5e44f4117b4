package main

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hitl"
	"hitl/bot/slacksim"
)

// confidential is what must not get out.
var confidential = []string{"ana.ruiz@example.com", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", "+49 30 901820", "C-123456"}

// hidingQueue hides all of it.
const hidingQueue = `    redact: [email, phone, card, iban]
    redact_patterns: {customer: '\bC-\d{6}\b'}`

// slackHolds is everything that the workspace was sent.
func (w *world) slackHolds() string {
	var all strings.Builder
	for _, c := range w.sim.Calls("") {
		fmt.Fprintln(&all, c.Method, c.Args)
	}
	for _, channel := range []string{reviewChannel, "C0ESCALATE", "C0GENERAL"} {
		fmt.Fprintf(&all, "%+v\n", w.sim.Messages(channel))
	}
	for _, user := range []string{"U0ANA", "U0BEN", "U0CHLOE", "U0DAN", "U0EVE"} {
		fmt.Fprintf(&all, "%+v %+v\n", w.sim.Ephemerals(user), w.sim.Views(user))
	}
	fmt.Fprintf(&all, "%+v %+v\n", w.sim.Responses(), w.sim.Deliveries())
	return all.String()
}

func (w *world) hides() {
	w.t.Helper()
	held := w.slackHolds()
	for _, p := range confidential {
		if strings.Contains(held, p) {
			w.t.Errorf("Slack holds %q", p)
		}
	}
}

// Personal data stays out of Slack from the card to the decision; a reviewer can look at it, which the log keeps, and nobody else can.
func TestHiddenAndRevealed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) { s.Queue = hidingQueue })
	text := "I want a refund. " + strings.Join(confidential, ", ")
	it := w.post("ana.ruiz@example.com", text, http.StatusAccepted)
	card := w.card(it)
	if !strings.Contains(card.AllText(), "▇▇▇, ▇▇▇, ▇▇▇, ▇▇▇, ▇▇▇") || !strings.Contains(card.Text, "6 parts are hidden") {
		t.Fatalf("card: %s", card.AllText())
	}
	w.click("U0ANA", card, "Details")
	w.modal("U0ANA", func(v slacksim.View) bool { return strings.Contains(v.AllText(), "▇▇▇") })
	for user, why := range map[string]string{"U0EVE": "members of this workspace", "U0BEN": ""} {
		w.click(user, card, "Other")
		w.modal(user, func(v slacksim.View) bool {
			return strings.Contains(v.AllText(), why) && !strings.Contains(v.AllText(), "Loading")
		})
	}
	w.click("U0EVE", card, "Reveal")
	w.modal("U0EVE", func(v slacksim.View) bool {
		return v.Title == "Reveal" && strings.Contains(v.AllText(), "members of this workspace")
	})
	w.hides()

	w.click("U0ANA", card, "Reveal")
	w.modal("U0ANA", func(v slacksim.View) bool { return strings.Contains(v.AllText(), text) })
	if diff := cmp.Diff([]hitl.Status{hitl.HumanReview, hitl.Revealed}, statuses(w.log(it.ID))); diff != "" {
		t.Fatal(diff)
	}
	if out := w.click("U0BEN", card, "Accept"); out.Error != "" {
		t.Fatalf("Ben saw %+v", out)
	}
	w.shows(it, "U0BEN", "▇▇▇")
	w.calledBack(it)
	w.click("U0BEN", w.cardNow(it), "Reveal") // a decided card has the button, too
	w.modal("U0BEN", func(v slacksim.View) bool { return strings.Contains(v.AllText(), text) })
	entries := w.log(it.ID)
	if diff := cmp.Diff([]hitl.Status{hitl.HumanReview, hitl.Revealed, hitl.HumanAccepted, hitl.Revealed}, statuses(entries)); diff != "" {
		t.Fatal(diff)
	}
	look := entries[1]
	where, _ := look.Context["where"].(map[string]any)
	if !strings.HasSuffix(look.Reviewer, "/U0ANA") || look.Context["review"] != it.Review.ID || look.Context["round"] != 1.0 ||
		where["channel"] != reviewChannel || where["message"] != card.TS || look.TextRef != entries[0].TextRef {
		t.Errorf("entry: %+v", look)
	}
	for _, m := range w.sim.Messages(reviewChannel) {
		if slices.ContainsFunc(confidential, func(p string) bool { return strings.Contains(fmt.Sprintf("%+v", m), p) }) {
			t.Errorf("the channel shows %s", m.AllText())
		}
	}
	if logs := w.logs.String(); slices.ContainsFunc(confidential, func(p string) bool { return strings.Contains(logs, p) }) {
		t.Error("the service's own log has personal data")
	}
}

// A request that was taken is refused by every replica when it comes again, and answers nothing more.
func TestReplayedRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	first, stopFirst := w.url, w.stop
	w.start()
	t.Cleanup(stopFirst)
	body := url.Values{
		"command": {"/hitl"}, "text": {"stats"}, "user_id": {"U0ANA"}, "team_id": {w.sim.Team().ID}, "channel_id": {reviewChannel},
	}.Encode()
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	signed := map[string]string{
		"Content-Type": "application/x-www-form-urlencoded", "X-Slack-Request-Timestamp": stamp,
		"X-Slack-Signature": slacksim.Sign(w.sim.SigningSecret(), stamp, body),
	}
	second := w.url
	for i, step := range []struct {
		url  string
		want int
	}{{first, 200}, {first, 409}, {second, 409}, {second, 409}} {
		w.url = step.url
		if got := w.requestWith(http.MethodPost, "/slack/commands", body, nil, signed); got.status != step.want {
			t.Errorf("request %d: status %d, want %d: %s", i, got.status, step.want, got.body)
		}
	}
	w.told("U0ANA", "in the last 24 hours")
	for secret, want := range map[string]int{"the secret before": 200, "another secret": 401} { // while the secret is being changed
		const probe = `{"type":"event_callback"}`
		signed["X-Slack-Signature"] = slacksim.Sign(secret, stamp, probe)
		if got := w.requestWith(http.MethodPost, "/slack/events", probe, nil, signed); got.status != want {
			t.Errorf("signed with %s: status %d, want %d", secret, got.status, want)
		}
	}
	if n := len(w.sim.Ephemerals("U0ANA")); n != 1 {
		t.Errorf("%d answers", n)
	}
}
