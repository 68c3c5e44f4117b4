package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"hitl/bot/slacksim"
)

// Ana opens her home tab, chooses three reviews and accepts them at one go: each is a decision and an entry of its own, and upstreams hear of each.
func TestBatchFromHome(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var items []item
	for i := range 3 {
		items = append(items, w.post(fmt.Sprint("batch-", i), unsureText, http.StatusAccepted))
	}
	home := func(words string) (v slacksim.View) {
		w.eventually("home tab with "+words, func() (ok bool) {
			v, ok = w.sim.Home("U0ANA")
			return ok && strings.Contains(v.AllText(), words)
		})
		return v
	}
	act := func(view string, c slacksim.Click) {
		c.User, c.ViewID = "U0ANA", view
		if out, err := w.sim.Click(t.Context(), c); err != nil || out.Error != "" {
			t.Fatalf("%+v: %+v, %v", c, out, err)
		}
	}
	if out, err := w.sim.OpenHome(t.Context(), "U0ANA"); err != nil || out.Error != "" {
		t.Fatalf("open home: %+v, %v", out, err)
	}
	v := home("3 reviews wait")
	for _, it := range items {
		act(v.ID, slacksim.Click{BlockID: "hitl_row_" + it.Review.ID, ActionID: "hitl_pick", Input: slacksim.Input{Options: []string{it.Review.ID + ".1"}}})
	}
	act(home("3 reviews are chosen").ID, slacksim.Click{ActionID: "hitl_batch_accept"})
	w.modal("U0ANA", func(v slacksim.View) bool { return strings.Contains(v.AllText(), "3 reviews in") })
	if out, err := w.sim.SubmitView(t.Context(), slacksim.Submit{User: "U0ANA"}); err != nil || out.Error != "" {
		t.Fatalf("submit: %+v, %v", out, err)
	}
	w.modal("U0ANA", func(v slacksim.View) bool { return strings.Contains(v.AllText(), "3 answers are recorded") })
	home("Nothing waits here")
	for _, it := range items {
		if got := w.calledBack(it); got.Label != it.AILabel || !strings.HasSuffix(got.Reviewer, "/U0ANA") {
			t.Errorf("upstream was told %+v", got)
		}
		entries := w.log(it.ID)
		if where, _ := entries[len(entries)-1].Context["where"].(map[string]any); len(entries) != 2 || where["surface"] != "batch" || where["batch"] == "" {
			t.Errorf("entries: %+v", entries)
		}
	}
}
