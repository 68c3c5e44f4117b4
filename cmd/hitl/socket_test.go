package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hitl"
	"hitl/bot/slacksim"
)

// The whole way of an item with Socket Mode alone: no request of Slack's comes in, and no signing secret is configured.
func TestSocketMode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) { s.Socket = true })
	it := w.post("socket-1", unsureText, http.StatusAccepted)
	card := w.card(it)
	if _, err := w.sim.FailSocket(t.Context(), slacksim.SocketRefresh); err != nil {
		t.Fatal(err)
	}
	if out := w.click("U0ANA", card, "Accept"); out.Error != "" {
		t.Fatalf("Ana saw %+v", out)
	}
	w.shows(it, "U0ANA", it.AILabel)
	if got := w.calledBack(it); got.Status != hitl.HumanAccepted || !strings.HasSuffix(got.Reviewer, "/U0ANA") {
		t.Errorf("upstream was told %+v", got)
	}
	if diff := cmp.Diff([]hitl.Status{hitl.HumanReview, hitl.HumanAccepted}, statuses(w.log(it.ID))); diff != "" {
		t.Error(diff)
	}
	if out, err := w.sim.Command(t.Context(), "U0ANA", reviewChannel, "/hitl", "stats 24h"); err != nil || out.Error != "" {
		t.Errorf("Ana saw %+v, %v", out, err)
	}
	w.told("U0ANA", "24 hours")
	for what, secret := range map[string]string{"app-level token": w.sim.AppToken(), "ticket of a connection": "ticket="} {
		if strings.Contains(w.logs.String(), secret) {
			t.Errorf("the log holds the %s", what)
		}
	}
	res := w.requestWith(http.MethodPost, "/slack/commands", "command=/hitl&user_id=U0ANA", nil, nil)
	if res.status != http.StatusUnauthorized {
		t.Errorf("a request over HTTP is answered %d", res.status)
	}
}
