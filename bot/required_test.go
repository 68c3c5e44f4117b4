package bot

import (
	"fmt"
	"strings"
	"testing"

	"hitl"
	"hitl/bot/slacksim"
)

// requiring is a queue that wants a reason and a comment with some verdicts.
func requiring(reason, comment hitl.Requirement) func(*setup) {
	return func(s *setup) {
		rules := s.bot.Desk.Queues["support"]
		rules.ReasonRequired, rules.CommentRequired = reason, comment
		s.bot.Desk.Queues["support"] = rules
	}
}

// sendsForm has Ana send the form as it is, but for a reason and a comment.
func (w *world) sendsForm(reason, comment string) slacksim.Outcome {
	w.t.Helper()
	values := map[string]map[string]slacksim.Input{blockComment: {fieldComment: {Text: comment}}}
	if reason != "" {
		values[blockReason] = map[string]slacksim.Input{fieldReason: {Option: labelKey(reason)}}
	}
	out, err := w.sim.SubmitView(w.t.Context(), slacksim.Submit{User: ana, Values: values})
	if err != nil {
		w.t.Fatal(err)
	}
	w.bot.Wait()
	return out
}

// Where every verdict needs a reason, Accept opens the form, in which the model's label is chosen and the reason asked for.
func TestReasonAlwaysRequired(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		rec, m := w.posted()
		v := w.opened(ana, m, actionAccept)
		if s := text(t, v); !strings.Contains(s, `"initial_option":{"text":{"emoji":false,"text":"NEGATIVE"`) || strings.Count(s, `"optional":true`) != 1 {
			t.Errorf("form: %s", s)
		}
		if _, ok := w.store.decision(rec.Review.ID); ok {
			t.Error("decided without a reason")
		}
		if out := w.sendsForm("", "no reason"); out.Error == "" && len(out.Errors) == 0 {
			t.Errorf("sent without a reason: %+v", out)
		}
		if out := w.sendsForm("Sarcasm", ""); len(out.Errors) != 0 || out.Error != "" {
			t.Errorf("sent: %+v", out)
		}
		if d, _ := w.store.decision(rec.Review.ID); d.Status != hitl.HumanAccepted || d.Reason != "Sarcasm" {
			t.Errorf("decision: %+v", d)
		}
		w.clean()
	}, requiring(hitl.Always, hitl.Never))
}

// Where corrections need a comment, Accept decides, and a label's button opens the form with that label chosen.
func TestCommentRequiredOfCorrections(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		first, m := w.posted()
		w.click(ana, m, actionAccept)
		if d, _ := w.store.decision(first.Review.ID); d.Status != hitl.HumanAccepted {
			t.Errorf("accepted: %+v", d)
		}
		second, m := w.posted()
		v := w.opened(ana, m, actionLabel+"0")
		if s := text(t, v); !strings.Contains(s, `"initial_option":{"text":{"emoji":false,"text":"NEUTRAL"`) || !strings.Contains(s, "Required unless") {
			t.Errorf("form: %s", s)
		}
		if out := w.sendsForm("", " \u200b "); out.Errors[blockComment] != "Please write a comment: this queue requires one." {
			t.Errorf("sent with a blank comment: %+v", out)
		}
		if out := w.sendsForm("", "It is neither."); len(out.Errors) != 0 || out.Error != "" {
			t.Errorf("sent: %+v", out)
		}
		if d, _ := w.store.decision(second.Review.ID); d.Label != "NEUTRAL" || d.Comment != "It is neither." {
			t.Errorf("decision: %+v", d)
		}
		third, m := w.posted()
		w.opened(ben, m, actionOther)
		if out := w.submit(ben, "NEGATIVE", "", ""); len(out.Errors) != 0 { // the model's own
			t.Errorf("sent: %+v", out)
		}
		if d, _ := w.store.decision(third.Review.ID); d.Status != hitl.HumanAccepted {
			t.Errorf("decision: %+v", d)
		}
		w.clean()
	}, requiring(hitl.Never, hitl.OnCorrections))
}

// Blind reviewers cannot tell from what is asked of them whether they agree with the model.
func TestRequiredOfBlindReviews(t *testing.T) {
	t.Parallel()
	w := newWorld(t, requiring(hitl.OnCorrections, hitl.Never))
	rec, m := w.posted(blind)
	for i, label := range rec.Labels {
		s := text(t, w.opened(ana, m, actionLabel+fmt.Sprint(i)))
		if !strings.Contains(s, `"text":"`+label+`"`) || strings.Contains(s, "Required unless") || strings.Count(s, `"optional":true`) != 1 {
			t.Errorf("form of %s: %s", label, s)
		}
	}
	if out := w.submit(ana, "NEGATIVE", "Two topics", ""); len(out.Errors) != 0 {
		t.Errorf("sent: %+v", out)
	}
	if d, _ := w.store.decision(rec.Review.ID); d.Status != hitl.HumanAccepted || d.Reason != "Two topics" {
		t.Errorf("decision: %+v", d)
	}
	w.clean()
}

// A label beyond what a list can show is chosen in the form, too.
func TestRequiredWithManyLabels(t *testing.T) {
	t.Parallel()
	w := newWorld(t, requiring(hitl.Always, hitl.Always))
	rec, m := w.posted(func(r *hitl.Record) {
		for i := range 150 {
			r.Labels = append(r.Labels, fmt.Sprint("L", i))
		}
		r.Prediction.Scores = append(r.Prediction.Scores[:1:1], hitl.Score{Label: "L149"})
	})
	w.opened(ana, m, actionLabel+"0")
	if out := w.sendsForm("Sarcasm", "yes"); len(out.Errors) != 0 || out.Error != "" {
		t.Errorf("sent: %+v", out)
	}
	if d, _ := w.store.decision(rec.Review.ID); d.Label != "L149" {
		t.Errorf("decision: %+v", d)
	}
	w.clean()
}

// A voice in a panel needs what a decision needs.
func TestRequiredOfVotes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withPanels, requiring(hitl.Never, hitl.Always))
	rec, m := w.posted(panel(2))
	if s := text(t, w.opened(ana, m, actionVote)); strings.Count(s, `"optional":true`) != 1 || strings.Contains(s, "initial_option") {
		t.Errorf("form: %s", s)
	}
	if out := w.submit(ana, "POSITIVE", "", "\u200b"); out.Errors[blockComment] == "" {
		t.Errorf("sent: %+v", out)
	}
	if out := w.submit(ana, "POSITIVE", "", "why not"); len(out.Errors) != 0 || len(w.store.said(rec.Review.ID)) != 1 {
		t.Errorf("sent: %+v", out)
	}
	w.clean()
}
