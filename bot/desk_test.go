package bot

import (
	"context"
	"errors"
	"strings"
	"testing"

	"hitl"
	"hitl/bot/slacksim"
)

// alone returns the last message that only this user sees.
func (w *world) alone(user string) slacksim.Message {
	w.t.Helper()
	all := w.sim.Ephemerals(user)
	if len(all) == 0 {
		w.t.Fatalf("%s sees nothing", user)
	}
	return all[len(all)-1]
}

func (w *world) holder(rec hitl.Record) string {
	w.t.Helper()
	got, err := w.store.Review(w.t.Context(), rec.Review.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return got.Review.ClaimedBy.User
}

func wants(t *testing.T, what, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s: %q lacks %q", what, text, w)
		}
	}
}

func TestClaimOnACard(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		rec, m := w.posted()
		w.click(ana, m, actionClaim)
		m = w.message(m.TS)
		wants(t, "card", m.AllText(), "Claimed by <@U0ANA> until <!date^")
		wants(t, "card's words", m.Text, "Claimed by <@U0ANA> until")
		if _, ok := m.Element(actionRelease); !ok || w.holder(rec) != ana {
			t.Errorf("claimed by %q: %s", w.holder(rec), m.AllText())
		}
		for _, action := range []string{actionAccept, actionClaim, actionRelease} {
			before := len(w.sim.Ephemerals(ben))
			w.click(ben, m, action)
			wants(t, action+" of another", w.whispered(ben), "Claimed by <@U0ANA> until", "not recorded")
			if len(w.sim.Ephemerals(ben)) != before+1 {
				t.Errorf("%s: not told once", action)
			}
		}
		w.opened(ben, m, actionSkip)
		wants(t, "skip of another", w.top(ben).AllText(), "Claimed by <@U0ANA>")
		w.click(chloe, m, actionClaim)
		wants(t, "no reviewer", w.whispered(chloe), "not a reviewer")
		if _, ok := w.store.decision(rec.Review.ID); ok {
			t.Error("decided over a claim")
		}
		w.click(ana, m, actionClaim) // longer
		w.click(ana, m, actionRelease)
		m = w.message(m.TS)
		if _, ok := m.Element(actionClaim); !ok || strings.Contains(m.AllText(), "Claimed by") || w.holder(rec) != "" {
			t.Errorf("released: %s", m.AllText())
		}
		w.click(ben, m, actionAccept)
		if d, _ := w.store.decision(rec.Review.ID); d.Reviewer.User != ben {
			t.Errorf("decision: %+v", d)
		}
		if len(w.sim.Ephemerals(ana)) != 0 {
			t.Errorf("the claimant was told %q", w.whispered(ana))
		}
		w.clean()
	})
}

func TestClaimsInTrouble(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, m := w.posted()
	w.store.failing("Claim", func(context.Context) error { return errors.New("connection reset") })
	w.click(ana, m, actionClaim)
	wants(t, "failed claim", w.whispered(ana), "Not done")
	w.store.failing("Claim", nil)
	w.store.failing("Next", func(context.Context) error { return errors.New("connection reset") })
	w.command(ana, "next")
	wants(t, "failed next", w.whispered(ana), "could not be done")
	w.clean()
}

// A queue is worked through in one ephemeral message.
func TestNextWorksAQueueThrough(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		first, m := w.posted()
		second, third := w.add(), w.add()
		w.command(ana, "next support")
		card := w.alone(ana)
		wants(t, "card", card.AllText(), "parcel", "Claimed by <@U0ANA>")
		if w.holder(first) != ana {
			t.Errorf("claimed by %q", w.holder(first))
		}
		w.click(ana, card, actionAccept)
		wants(t, "after the decision", w.alone(ana).AllText(), "Recorded: ✓ *Accepted* `NEGATIVE`", "Next review")
		wants(t, "the channel's card", w.message(m.TS).AllText(), "by <@U0ANA>")
		w.click(ana, w.alone(ana), actionNext)
		if w.holder(second) != ana {
			t.Errorf("the second is claimed by %q", w.holder(second))
		}
		w.opened(ana, w.alone(ana), actionOther)
		w.submit(ana, "POSITIVE", "", "")
		wants(t, "after the form", w.alone(ana).AllText(), "Recorded: ✎ *Corrected*", "Next review")
		w.click(ana, w.alone(ana), actionNext)
		w.opened(ana, w.alone(ana), actionSkip)
		w.skip(ana, "unclear", "")
		wants(t, "after the skip", w.alone(ana).AllText(), "Skipped", "Next review")
		if w.holder(third) != "" {
			t.Error("a skip leaves the claim")
		}
		w.click(ana, w.alone(ana), actionNext)
		wants(t, "at the end", w.alone(ana).AllText(), "Nothing is left for you in `support`")
		if n := len(w.sim.Ephemerals(ana)); n != 1 {
			t.Errorf("%d messages for one person, want the one", n)
		}
		w.clean()
	})
}

// skip fills the form of a skip in.
func (w *world) skip(user, reason, comment string) slacksim.Outcome {
	w.t.Helper()
	out, err := w.sim.SubmitView(w.t.Context(), slacksim.Submit{User: user, Values: map[string]map[string]slacksim.Input{
		blockReason: {fieldReason: {Option: reason}}, blockComment: {fieldComment: {Text: comment}},
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.bot.Wait()
	return out
}

// An ephemeral card whose review has moved on says so, and the next one is a click away.
func TestNextAfterTheReviewMovedOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec, m := w.posted()
	w.command(ana, "next")
	w.store.mu.Lock()
	w.store.setClaim(rec.Review.ID, hitl.Reviewer{}, testTime)
	w.store.mu.Unlock()
	w.click(ben, m, actionAccept)
	if len(w.sim.Ephemerals(ben)) != 0 {
		t.Errorf("deciding on the channel's card says %q", w.whispered(ben))
	}
	w.click(ana, w.alone(ana), actionClaim)
	wants(t, "claim", w.alone(ana).AllText(), "Already accepted", "<@U0BEN>", "Next review")
	other, _ := w.posted()
	w.click(ana, w.alone(ana), actionNext)
	w.store.expire(other.Review.ID)
	w.click(ana, w.alone(ana), actionAccept)
	wants(t, "decision", w.alone(ana).AllText(), "expired", "Next review")
	w.click(ana, w.alone(ana), actionNext)
	wants(t, "next", w.alone(ana).AllText(), "Nothing is left")
	w.command(chloe, "next")
	wants(t, "no reviewer", w.whispered(chloe), "not a reviewer of any queue")
	w.command(chloe, "next support")
	wants(t, "no reviewer of it", w.alone(chloe).Text, "not a reviewer of the queue")
	w.command(ana, "next nothing")
	wants(t, "no queue", w.whispered(ana), "`nothing` is not a queue; there are `support`", "/hitl next")
	w.command(ana, "next support support")
	wants(t, "two", w.whispered(ana), "one queue at most")
	w.clean()
}

func TestSkipForm(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		rec, m := w.posted()
		w.opened(ana, m, actionSkip)
		if out := w.skip(ana, "other", " "); out.Errors[blockComment] != "Please say why." {
			t.Errorf("no comment: %+v", out)
		}
		w.store.failing("Skip", func(context.Context) error { return errors.New("connection reset") })
		if out := w.skip(ana, "other", "my cousin wrote it"); !strings.Contains(out.Errors[blockReason], "Not recorded") {
			t.Errorf("failure: %+v", out)
		}
		w.store.failing("Skip", nil)
		if out := w.skip(ana, "other", "my cousin wrote it"); len(out.Errors) > 0 || len(w.sim.Views(ana)) != 0 {
			t.Errorf("skip: %+v", out)
		}
		if v := w.store.skips; len(v) != 1 || v[0].ReviewID != rec.Review.ID || v[0].Reason != "other" || v[0].Comment != "my cousin wrote it" || v[0].Context["message"] != m.TS {
			t.Errorf("skips: %+v", v)
		}
		w.opened(ben, m, actionSkip)
		w.click(ana, m, actionAccept) // who has skipped may still decide
		w.skip(ben, "unclear", "")
		wants(t, "too late", w.top(ben).AllText(), "Already accepted as `NEGATIVE` by <@U0ANA>")
		w.clean()
	})
}

func TestMine(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		w.command(ana, "mine")
		wants(t, "none", w.whispered(ana), "claimed nothing")
		rec, m := w.posted()
		w.click(ana, m, actionClaim)
		w.command(ana, "mine")
		list := w.alone(ana)
		wants(t, "list", list.AllText(), "You have claimed 1 review", "until <!date^", "/archives/C0REVIEW/p"+strings.ReplaceAll(m.TS, ".", "")+"|card>")
		w.click(ana, list, actionOpen)
		wants(t, "opened", w.alone(ana).AllText(), "parcel")
		w.click(ana, list, actionGiveBack)
		if w.holder(rec) != "" {
			t.Errorf("still claimed by %q", w.holder(rec))
		}
		wants(t, "the channel's card", w.message(m.TS).AllText(), "Claim")
		w.command(ana, "mine all")
		wants(t, "too much", w.whispered(ana), "`mine` takes nothing behind it, not `all`.")
		w.clean()
	})
}

func TestAssignCommand(t *testing.T) {
	t.Parallel()
	owned := func(s *setup) {
		q := s.bot.Queues["support"]
		q.Owners.Users = []string{chloe}
		s.bot.Queues["support"] = q
	}
	overBoth(t, func(t *testing.T, w *world) {
		rec, m := w.posted()
		link := "https://x.slack.com/archives/C0REVIEW/p" + strings.ReplaceAll(m.TS, ".", "")
		for _, tc := range []struct{ user, text, want, holder string }{
			{ana, "assign", "Name a review and a person", ""},
			{ana, "assign " + link + " ben", "`ben` is not a person", ""},
			{ana, "assign https://x.slack.com/archives/C0REVIEW/p1000000000000009 <@U0BEN>", "is not a review", ""},
			{ana, "assign rev_none <@U0BEN>", "is not a review", ""},
			{ana, "assign " + link + " <@U0BEN|ben>", "You have not claimed this review", ""},
			{chloe, "assign " + link + " <@U0CHLOE>", "<@U0CHLOE> is not a reviewer of the queue", ""},
			{chloe, "assign " + rec.Review.ID + " <@U0ANA>", "Given to <@U0ANA> until", ana},
			{ben, "assign " + link + " <@U0BEN>", "Claimed by <@U0ANA>", ana},
			{ana, "assign " + link + " <@U0BEN|ben>", "Given to <@U0BEN>", ben},
			{chloe, "assign " + link + " <@U0ANA>", "Given to <@U0ANA>", ana},
			{"U0EVE", "assign " + link + " <@U0EVE>", "members of this workspace", ana},
		} {
			w.command(tc.user, tc.text)
			wants(t, tc.text, w.whispered(tc.user), tc.want)
			if got := w.holder(rec); got != tc.holder {
				t.Errorf("%s: claimed by %q, want %q", tc.text, got, tc.holder)
			}
		}
		wants(t, "card", w.message(m.TS).AllText(), "Claimed by <@U0ANA>")
		w.clean()
	}, owned)
}

// Who is given a review reads of it in the conversation with the app, with the way to its card and none of its words.
func TestAssignedNotice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec, m := w.posted()
	w.click(ben, m, actionClaim)
	n := hitl.Notice{
		ID: "ntc_1", Kind: hitl.NoticeAssigned, Queue: "support", ReviewID: rec.Review.ID, To: ben, Data: map[string]string{"by": "T0SLACKSIM/" + ana}, Attempt: 1,
	}
	channel, ts, err := w.bot.PostNotice(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := w.sim.Message(channel, ts)
	wants(t, "notice", got.AllText(), "<@U0ANA> gave you a review", "/archives/C0REVIEW/p", "until <!date^")
	if strings.Contains(got.AllText(), "parcel") {
		t.Error("the notice holds the item's text")
	}
	n.ID, n.Kind, n.To, n.Data = "ntc_2", hitl.NoticeSkipped, "", map[string]string{"reasons": "unclear\nnot_my_area"}
	if channel, ts, err = w.bot.PostNotice(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	got, _ = w.sim.Message(channel, ts)
	wants(t, "skipped", got.AllText(), "Two people have skipped", "Unclear, Not my area")
	w.clean()
}
