package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"hitl"
	"hitl/bot/slacksim"
)

// opened clicks a button that opens a modal and returns the modal.
func (w *world) opened(user string, m slacksim.Message, actionID string) slacksim.View {
	w.t.Helper()
	if out := w.click(user, m, actionID); out.Status != 200 {
		w.t.Fatalf("answer: %+v", out)
	}
	return w.top(user)
}

func (w *world) top(user string) slacksim.View {
	w.t.Helper()
	views := w.sim.Views(user)
	if len(views) == 0 {
		w.t.Fatalf("%s sees no modal", user)
	}
	return views[len(views)-1]
}

// submit fills the form in.
func (w *world) submit(user, label, reason, comment string) slacksim.Outcome {
	w.t.Helper()
	values := map[string]map[string]slacksim.Input{
		blockLabel: {fieldLabel: {Option: labelKey(label)}}, blockComment: {fieldComment: {Text: comment}},
	}
	if reason != "" {
		values[blockReason] = map[string]slacksim.Input{fieldReason: {Option: labelKey(reason)}}
	}
	out, err := w.sim.SubmitView(w.t.Context(), slacksim.Submit{User: user, Values: values})
	if err != nil {
		w.t.Fatal(err)
	}
	w.bot.Wait()
	return out
}

func TestCorrectInModal(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		rec, m := w.posted()
		v := w.opened(ben, m, actionOther)
		if v.CallbackID != viewCorrect || v.Submit != "Save" || !strings.Contains(v.AllText(), "parcel") {
			t.Fatalf("modal: %+v", v)
		}
		if out := w.submit(ben, "POSITIVE", "Sarcasm", "He <@U0ANA> means & says thanks."); out.Status != 200 || out.Answer != "" || len(out.Errors) > 0 {
			t.Fatalf("answer: %+v", out)
		}
		if n := len(w.sim.Views(ben)); n != 0 {
			t.Errorf("%d modals still open", n)
		}
		d, _ := w.store.decision(rec.Review.ID)
		if d.Status != hitl.HumanCorrected || d.Label != "POSITIVE" || d.Reason != "Sarcasm" || d.Comment != "He <@U0ANA> means & says thanks." ||
			d.Context["surface"] != "modal" || d.Context["message"] != m.TS {
			t.Errorf("decision: %+v", d)
		}
		after := w.message(m.TS)
		if len(after.Elements()) != 0 || !strings.Contains(after.AllText(), "Reason: Sarcasm") || !strings.Contains(after.AllText(), "means & says thanks") {
			t.Errorf("card: %s", after.AllText())
		}
		if fmt.Sprint(after.Mentions) != "[@U0BEN]" {
			t.Errorf("mentions: %v", after.Mentions)
		}
		// The effect finds the card drawn.
		before := len(w.sim.Calls("chat.update"))
		if err := w.bot.RefreshCard(t.Context(), rec.Review.ID); err != nil || len(w.sim.Calls("chat.update")) != before {
			t.Errorf("refresh: %v", err)
		}
		w.clean()
	})
}

func TestModalAcceptsTheModelsOwnLabel(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		rec, m := w.posted()
		w.opened(ana, m, actionOther)
		w.submit(ana, "NEGATIVE", "", "")
		if d, _ := w.store.decision(rec.Review.ID); d.Status != hitl.HumanAccepted {
			t.Errorf("decision: %+v", d)
		}
		w.clean()
	})
}

func TestModalLosesRace(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		_, m := w.posted()
		w.opened(ben, m, actionOther)
		w.click(ana, m, actionAccept)
		w.submit(ben, "POSITIVE", "", "")
		v := w.top(ben)
		if v.CallbackID != viewNotice || !strings.Contains(v.AllText(), "Already accepted as `NEGATIVE` by <@U0ANA>") {
			t.Errorf("modal: %s", v.AllText())
		}
		w.clean()
	})
}

func TestModalOfDecidedReview(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec, m := w.posted()
	w.store.expire(rec.Review.ID)
	if v := w.opened(ben, m, actionOther); v.Submit != "" || !strings.Contains(v.AllText(), "expired") {
		t.Errorf("modal: %s", v.AllText())
	}
	w.clean()
}

func TestModalRightsAreCheckedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { s.bot.MembersFor = time.Nanosecond })
	rec, m := w.posted()
	w.opened(ben, m, actionOther)
	if err := w.sim.SetGroupMembers("S0REVIEWERS", ana); err != nil {
		t.Fatal(err)
	}
	w.submit(ben, "POSITIVE", "", "")
	if v := w.top(ben); !strings.Contains(v.AllText(), "not a reviewer") {
		t.Errorf("modal: %s", v.AllText())
	}
	if _, ok := w.store.decision(rec.Review.ID); ok {
		t.Error("decided")
	}
	w.clean()
}

func TestModalErrors(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		rec, m := w.posted()
		w.opened(ben, m, actionOther)
		w.store.failing("Decide", func(context.Context) error { return errors.New("disk full") })
		if out := w.submit(ben, "POSITIVE", "", ""); !strings.Contains(out.Errors[blockLabel], "Not recorded") {
			t.Errorf("database: %+v", out)
		}
		w.store.failing("Decide", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		if out := w.submit(ben, "POSITIVE", "", ""); !strings.Contains(out.Errors[blockLabel], "Not recorded") || out.Took > 2*time.Second {
			t.Errorf("slow database: %+v", out)
		}
		w.store.failing("Decide", nil)
		if out := w.submit(ben, "POSITIVE", "", strings.Repeat("\U0001F600", maxCommentInput)); !strings.Contains(out.Errors[blockComment], "too long") {
			t.Errorf("comment too long: %+v", out)
		}
		w.bot.cfg.Queues["support"] = Queue{Channel: channel, OpenLimit: 10, Reviewers: Reviewers{Users: []string{ben}}}
		if out := w.submit(ben, "POSITIVE", "Sarcasm", ""); !strings.Contains(out.Errors[blockReason], "not offered") {
			t.Errorf("reason gone: %+v", out)
		}
		gone := newRecord(rec.Review.ID, func(r *hitl.Record) { r.Labels = []string{"NEGATIVE", "NEUTRAL"} })
		w.store.put(gone)
		if out := w.submit(ben, "POSITIVE", "", ""); !strings.Contains(out.Errors[blockLabel], "not one of") {
			t.Errorf("label gone: %+v", out)
		}
		if _, ok := w.store.decision(rec.Review.ID); ok {
			t.Error("decided")
		}
		w.clean()
	}, func(s *setup) { s.bot.AnswerWithin = 300 * time.Millisecond })
}

func TestManyLabels(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		var labels []string
		for i := range 250 {
			labels = append(labels, fmt.Sprintf("topic-%03d", i))
		}
		labels = append(labels, "NEGATIVE")
		rec, m := w.posted(func(r *hitl.Record) { r.Labels, r.Prediction.Scores = labels, nil })
		v := w.opened(ben, m, actionOther)
		suggest := func(typed string) []slacksim.Option {
			out, err := w.sim.Suggest(t.Context(), slacksim.Suggest{User: ben, ViewID: v.ID, Query: typed})
			if err != nil || out.Error != "" {
				t.Fatalf("suggest: %+v %v", out, err)
			}
			return out.Options
		}
		if n := len(suggest("")); n != 100 {
			t.Errorf("%d options for nothing", n)
		}
		if n := len(suggest("nothing like it")); n != 0 {
			t.Errorf("%d options for nonsense", n)
		}
		if got := suggest("TOPIC-24"); len(got) != 10 || got[0].Text != "topic-240" {
			t.Errorf("options: %v", got)
		}
		w.submit(ben, "topic-247", "", "")
		if d, _ := w.store.decision(rec.Review.ID); d.Label != "topic-247" {
			t.Errorf("decision: %+v", d)
		}
		w.clean()
	})
}

func TestTriggerExpired(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		_, m := w.posted()
		if err := w.sim.Fail("views.open", slacksim.Fault{Error: "expired_trigger_id"}); err != nil {
			t.Fatal(err)
		}
		w.click(ben, m, actionOther)
		if words := w.whispered(ben); !strings.Contains(words, "click again") {
			t.Errorf("told %q", words)
		}
		w.clean()
	})
}

// The modal opens before anything is looked up, however slow that is.
func TestModalOpensFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, m := w.posted()
	release := make(chan struct{})
	w.store.failing("Review", func(context.Context) error { <-release; return nil })
	if _, err := w.sim.Click(t.Context(), slacksim.Click{User: ben, Channel: channel, TS: m.TS, ActionID: actionOther}); err != nil {
		t.Fatal(err)
	}
	if v := w.top(ben); !strings.Contains(v.AllText(), "Loading") {
		t.Errorf("modal: %s", v.AllText())
	}
	close(release)
	w.bot.Wait()
	if v := w.top(ben); v.CallbackID != viewCorrect {
		t.Errorf("modal: %s", v.AllText())
	}
	w.clean()
}

func TestModalThatCannotBeLoaded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, m := w.posted()
	w.store.failing("Review", func(context.Context) error { return errors.New("down") })
	if v := w.opened(ben, m, actionOther); !strings.Contains(v.AllText(), "could not be loaded") {
		t.Errorf("modal: %s", v.AllText())
	}
	w.clean()
}

// clickView presses a button inside a modal and waits for what it sets in motion.
func (w *world) clickView(user string, v slacksim.View, actionID string) {
	w.t.Helper()
	out, err := w.sim.Click(w.t.Context(), slacksim.Click{User: user, ViewID: v.ID, ActionID: actionID})
	if err != nil || out.Status != 200 {
		w.t.Fatalf("answer: %+v, %v", out, err)
	}
	w.bot.Wait()
}

func (w *world) closeViews(user string) {
	w.t.Helper()
	if len(w.sim.Views(user)) == 0 {
		return
	}
	if _, err := w.sim.CloseView(w.t.Context(), user, true); err != nil {
		w.t.Fatal(err)
	}
}
