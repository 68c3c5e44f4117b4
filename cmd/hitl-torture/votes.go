package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"hitl/bot/slacksim"
)

// labels are those of the starter model.
var labels = []string{"NEGATIVE", "POSITIVE"}

// formWithin is how long a reviewer waits for a form.
const formWithin = 4 * time.Second

// vote gives one verdict for a panel, by its form, and records what the reviewer saw. A person looks at one form at a time.
func (t *team) vote(ctx context.Context, c shownCard, user, label string) {
	button, ok := c.button("hitl_vote")
	if !ok {
		return
	}
	t.screens[user].Lock()
	defer t.screens[user].Unlock()
	sim := t.slack.sim
	out, err := sim.Click(ctx, slacksim.Click{User: user, Channel: c.channel, TS: c.ts, ActionID: button.ActionID, Value: button.Value})
	if err != nil || !t.ticked(out) {
		return
	}
	defer func() { _, _ = sim.CloseView(context.WithoutCancel(ctx), user, true) }() // it may be closed already
	form, ok := t.form(ctx, user, button.Value)
	if !ok {
		return
	}
	values := map[string]map[string]slacksim.Input{}
	for _, e := range form.Elements() {
		i := slices.IndexFunc(e.Options, func(o slacksim.Option) bool { return o.Text == label })
		if i >= 0 {
			values[e.BlockID] = map[string]slacksim.Input{e.ActionID: {Option: e.Options[i].Value}}
		}
	}
	op := operation{do: voted, label: label, round: roundOf(button), by: t.slack.id(user), call: t.hist.now()}
	out, err = sim.SubmitView(ctx, slacksim.Submit{User: user, Values: values})
	if err != nil {
		return
	}
	op.known = t.ticked(out)
	t.hist.did(c.review, op, false, out.Took)
}

// form waits for a review's form on somebody's screen; false when they are told that there is none to fill in, or nothing.
func (t *team) form(ctx context.Context, user, ref string) (slacksim.View, bool) {
	ctx, cancel := context.WithTimeout(ctx, formWithin)
	defer cancel()
	var top slacksim.View
	err := t.slack.sim.Wait(ctx, func() bool {
		views := t.slack.sim.Views(user)
		if len(views) == 0 {
			return false
		}
		top = views[len(views)-1]
		return strings.Contains(top.PrivateMetadata, `"`+ref+`"`) && !strings.Contains(top.AllText(), "Loading")
	})
	return top, err == nil && top.CallbackID == "hitl_vote"
}
