package bot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hitl"
	"hitl/bot/slacksim"
)

const finn = "U0FINN"

// withPanels has the queue's adjudicator be Chloe, and Finn be another reviewer.
func withPanels(s *setup) {
	people := slacksim.DemoWorkspace()
	s.sim.Users = slices.Concat(people.Users, []slacksim.User{{ID: finn, Name: "finn", RealName: "Finn Olsen", Email: "finn@example.com"}})
	people.Channels[0].Members = append(people.Channels[0].Members, finn)
	s.sim.Groups, s.sim.Channels = people.Groups, people.Channels
	q := s.bot.Queues["support"]
	q.Reviewers.Users = append(q.Reviewers.Users, finn)
	q.Adjudicators = Reviewers{Users: []string{chloe}}
	s.bot.Queues["support"] = q
}

func panel(n int) func(*hitl.Record) {
	return func(r *hitl.Record) { r.Review.Panel = n }
}

// votes gives a verdict through the form.
func (w *world) votes(user string, m slacksim.Message, label, comment string) {
	w.t.Helper()
	if v := w.opened(user, m, actionVote); v.CallbackID != viewVote {
		w.t.Fatalf("%s sees %s", user, v.AllText())
	}
	if out := w.submit(user, label, "", comment); out.Status != 200 || out.Answer != "" || len(out.Errors) > 0 {
		w.t.Errorf("answer: %+v", out)
	}
}

// sees returns what anybody can read of a card, its data included.
func (w *world) sees(m slacksim.Message) string {
	raw, err := json.Marshal(w.message(m.TS))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(raw)
}

// Verdicts are independent: nothing in Slack tells one reviewer what another said, until the last one makes the decision.
func TestPanel(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		rec, m := w.posted(panel(3))
		if s := w.sees(m); !strings.Contains(s, "0 of 3 verdicts are in") || !strings.Contains(s, actionVote) || strings.Contains(s, actionAccept) || strings.Contains(s, actionOther) {
			t.Fatalf("card: %s", s)
		}
		v := w.opened(ana, m, actionVote)
		for _, e := range v.Elements() {
			if e.Value != "" {
				t.Errorf("something is chosen: %+v", e)
			}
		}
		if out := w.submit(ana, "POSITIVE", "Sarcasm", "because of Ana"); out.Answer != "" || len(out.Errors) > 0 {
			t.Fatalf("answer: %+v", out)
		}
		w.votes(ben, m, "NEUTRAL", "because of Ben")
		s := w.sees(m)
		for _, secret := range []string{ana, ben, "POSITIVE", "NEUTRAL", "because", "Sarcasm"} {
			if strings.Contains(s, secret) {
				t.Errorf("the card tells of %s: %s", secret, s)
			}
		}
		if !strings.Contains(s, "2 of 3 verdicts are in") {
			t.Errorf("card: %s", s)
		}
		// Who has spoken is told so, in their own eyes only; who has not gets an empty form.
		if v := w.opened(ana, m, actionVote); v.CallbackID != viewNotice || !strings.Contains(v.AllText(), "You gave your verdict, `POSITIVE`") {
			t.Errorf("modal: %s", v.AllText())
		}
		if v := w.opened(finn, m, actionVote); v.CallbackID != viewVote || strings.Contains(v.AllText(), "because") {
			t.Errorf("modal: %s", v.AllText())
		}
		w.submit(finn, "POSITIVE", "", "")
		d, ok := w.store.decision(rec.Review.ID)
		if !ok || !d.ByPanel() || d.Label != "POSITIVE" || d.Context["panel"] != "2/3" {
			t.Errorf("decision: %+v", d)
		}
		after := w.message(m.TS)
		if !strings.Contains(after.AllText(), "by the panel") || !strings.Contains(after.AllText(), "2 of 3 verdicts agree") || len(after.Mentions) > 0 || len(after.Elements()) > 0 {
			t.Errorf("card: %s", after.AllText())
		}
		if n := w.seen.count(&w.seen.clicked, "modal voted"); n != 3 {
			t.Errorf("%d voted", n)
		}
		w.clean()
	}, withPanels)
}

// Without a majority the card says how often each label was given, and the adjudicators alone decide.
func TestPanelWithoutMajority(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		rec, m := w.posted(panel(2))
		w.votes(ana, m, "POSITIVE", "")
		w.votes(ben, m, "NEGATIVE", "")
		card := w.message(m.TS)
		if !strings.Contains(card.AllText(), "no majority (`NEGATIVE`: 1, `POSITIVE`: 1)") || len(card.Mentions) > 0 {
			t.Errorf("card: %s", card.AllText())
		}
		w.click(ana, card, actionAccept)
		if got := w.whispered(ana); !strings.Contains(got, "Only the adjudicators") {
			t.Errorf("told: %s", got)
		}
		if v := w.opened(ben, card, actionOther); v.CallbackID != viewNotice || !strings.Contains(v.AllText(), "Only the adjudicators") {
			t.Errorf("modal: %s", v.AllText())
		}
		if _, ok := w.store.decision(rec.Review.ID); ok {
			t.Fatal("a reviewer decided")
		}
		if v := w.opened(chloe, card, actionText); !strings.Contains(v.AllText(), "parcel") {
			t.Errorf("the adjudicator reads %s", v.AllText())
		}
		w.opened(chloe, card, actionOther)
		if out := w.submit(chloe, "NEUTRAL", "", ""); out.Answer != "" || len(out.Errors) > 0 {
			t.Fatalf("answer: %+v", out)
		}
		d, ok := w.store.decision(rec.Review.ID)
		if !ok || d.Reviewer.User != chloe || d.Context["adjudicated"] != "true" || d.Label != "NEUTRAL" {
			t.Errorf("decision: %+v", d)
		}
		if s := w.message(m.TS).AllText(); !strings.Contains(s, "an adjudicator decided") || !strings.Contains(s, "<@U0CHLOE>") {
			t.Errorf("card: %s", s)
		}
		w.clean()
	}, withPanels)
}

// What comes late, twice, from somebody without rights, or for another state of the review has an answer in words, and changes nothing.
func TestPanelRefuses(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		rec, m := w.posted(panel(2))
		r := ref{Review: rec.Review.ID, Round: 1}

		// An adjudicator is no reviewer for that, and a stranger is nobody.
		if v := w.opened(chloe, m, actionVote); v.CallbackID != viewNotice || !strings.Contains(v.AllText(), "not a reviewer") {
			t.Errorf("modal: %s", v.AllText())
		}
		if out := w.says(chloe, rec, "POSITIVE"); out.outcome != outcomeRefused || len(w.store.said(rec.Review.ID)) != 0 {
			t.Errorf("%+v", out)
		}
		// Nor is there a verdict on a round that is not open.
		future := rec
		future.Review = &hitl.Review{ID: rec.Review.ID, Round: 2}
		if out := w.says(ana, future, "POSITIVE"); out.outcome != outcomeLost || !strings.Contains(out.words(w.bot.language()), "takes no panel's verdicts any more") {
			t.Errorf("%+v", out)
		}
		// A button of an older card, or a forged one, decides nothing.
		r.Label = labelKey("POSITIVE")
		for range 2 {
			w.forged(ana, m, actionLabel+"0", r.String())
			if got := w.whispered(ana); !strings.Contains(got, "A panel judges this review") {
				t.Errorf("told: %s", got)
			}
		}
		if v := w.view(ana, r, w.bot.correctView("")); !strings.Contains(v, "A panel judges this review") {
			t.Errorf("modal: %s", v)
		}

		// The same form twice, and then another answer in an old form.
		w.votes(ana, m, "POSITIVE", "")
		if out := w.says(ana, rec, "POSITIVE"); out.outcome != outcomeVoted || len(w.store.said(rec.Review.ID)) != 1 {
			t.Errorf("the same again: %+v", out)
		}
		w.opened(ben, m, actionVote)
		if out := w.says(ben, rec, "NEGATIVE"); out.outcome != outcomeVoted {
			t.Errorf("%+v", out)
		}
		w.submit(ben, "POSITIVE", "", "")
		if v := w.top(ben); !strings.Contains(v.AllText(), "You gave your verdict, `NEGATIVE`") {
			t.Errorf("modal: %s", v.AllText())
		}

		// A third one comes late: the panel is complete.
		if v := w.view(finn, r, w.bot.voteView); !strings.Contains(v, "were in before yours") {
			t.Errorf("modal: %s", v)
		}
		if out := w.says(finn, rec, "POSITIVE"); out.outcome != outcomeLost {
			t.Errorf("%+v", out)
		}

		// And after the decision.
		w.click(chloe, w.message(m.TS), actionAccept)
		if v := w.view(finn, r, w.bot.voteView); !strings.Contains(v, "Already accepted") {
			t.Errorf("modal: %s", v)
		}
		w.clean()
	}, withPanels)
}

// says gives a verdict as a form does.
func (w *world) says(user string, rec hitl.Record, label string) result {
	defer w.bot.Wait()
	v := hitl.Verdict{ReviewID: rec.Review.ID, Round: rec.Review.Round, Kind: hitl.Correct, Reviewer: hitl.Reviewer{Team: "T0SLACKSIM", User: user}}
	return w.bot.vote(w.t.Context(), v, func(screened) (string, string, error) { return label, "", nil })
}

// forged sends a click on a button that the card does not have.
func (w *world) forged(user string, m slacksim.Message, actionID, value string) {
	w.t.Helper()
	in := interaction{Type: "block_actions", Team: idField{"T0SLACKSIM"}, User: userField{ID: user}, Channel: idField{m.Channel}}
	in.Container = container{MessageTS: m.TS, ChannelID: m.Channel}
	in.Actions = append(in.Actions, action{ActionID: actionID, Value: value})
	raw, err := json.Marshal(in)
	if err != nil {
		w.t.Fatal(err)
	}
	w.bot.interaction(w.t.Context(), raw)
	w.bot.Wait()
}

// view returns what a modal would say to somebody.
func (w *world) view(user string, r ref, build viewBuilder) string {
	w.t.Helper()
	r.Label = ""
	v := w.bot.view(w.t.Context(), hitl.Reviewer{Team: "T0SLACKSIM", User: user}, r, saying("modal.vote.title"), viewData{Ref: r.String()}, build)
	raw, err := json.Marshal(v)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(raw)
}

// A verdict that may not be saved is said to be unsaved, in the form, which stays open; the same once more is the way out.
func TestVoteNotSaved(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		rec, m := w.posted(panel(2))
		w.opened(ana, m, actionVote)
		w.store.failing("Vote", func(context.Context) error { return errors.New("connection reset") })
		if out := w.submit(ana, "POSITIVE", "", ""); len(out.Errors) != 1 {
			t.Errorf("answer: %+v", out)
		}
		w.store.failing("Vote", nil)
		if out := w.submit(ana, "POSITIVE", "", ""); len(out.Errors) != 0 || len(w.store.said(rec.Review.ID)) != 1 {
			t.Errorf("answer: %+v", out)
		}
		w.clean()
	}, withPanels)
}

// All at once: nobody is told two things, and one decision comes of it.
func TestPanelAllAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withPanels)
	rec, m := w.posted(panel(3))
	people := []string{ana, ben, finn}
	for _, user := range people {
		w.opened(user, m, actionVote)
	}
	var wg sync.WaitGroup
	for _, user := range people {
		wg.Go(func() {
			_, err := w.sim.SubmitView(t.Context(), slacksim.Submit{User: user, Values: map[string]map[string]slacksim.Input{
				blockLabel: {fieldLabel: {Option: labelKey("POSITIVE")}},
			}})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	w.bot.Wait()
	if d, ok := w.store.decision(rec.Review.ID); !ok || d.Context["panel"] != "3/3" {
		t.Errorf("decision: %+v", d)
	}
	w.clean()
}

// The notice calls the adjudicators to the card; one that comes late says that there is nothing to do.
func TestAdjudicateNotice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withPanels)
	rec, m := w.posted(panel(2))
	w.votes(ana, m, "POSITIVE", "")
	w.votes(ben, m, "NEGATIVE", "")
	n := hitl.Notice{ID: "ntc_1", Kind: hitl.NoticeAdjudicate, Queue: "support", ReviewID: rec.Review.ID, CreatedAt: time.Now(), Attempt: 1}
	where, ts, err := w.bot.PostNotice(t.Context(), n)
	if err != nil || where != channel {
		t.Fatalf("%s, %v", where, err)
	}
	got := w.message(ts)
	if fmt.Sprint(got.Mentions) != "[@U0CHLOE]" || !strings.Contains(got.Text, "/archives/"+channel+"/p"+strings.ReplaceAll(m.TS, ".", "")) || !strings.Contains(got.Text, "`NEGATIVE`: 1") {
		t.Errorf("%+v", got)
	}
	w.click(chloe, w.message(m.TS), actionAccept)
	n.ID = "ntc_2"
	if _, ts, err = w.bot.PostNotice(t.Context(), n); err != nil || len(w.message(ts).Mentions) != 0 {
		t.Errorf("%+v, %v", w.message(ts), err)
	}
	w.clean()
}

// The owners adjudicate when nobody else is named.
func TestAdjudicators(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) {
		s.bot.Queues["support"] = Queue{Channel: channel, Reviewers: Reviewers{Users: []string{ana}}, Owners: Owners{Users: []string{ben, "U0DAN"}}}
		s.bot.Queues["named"] = Queue{
			Channel: channel, Reviewers: Reviewers{Users: []string{ana}}, Owners: Owners{Users: []string{ben}}, Adjudicators: Reviewers{Groups: []string{"S0REVIEWERS"}},
		}
	})
	for _, tc := range []struct {
		queue, team, user string
		want              bool
	}{
		{"support", "T0SLACKSIM", ben, true},
		{"support", "T0SLACKSIM", ana, false},
		{"support", "T0OTHER", ben, false},
		{"support", "T0SLACKSIM", "U0DAN", false}, // deactivated
		{"named", "T0SLACKSIM", ana, true},
		{"named", "T0SLACKSIM", chloe, false},
		{"gone", "T0SLACKSIM", ben, false},
	} {
		err := w.bot.rights.adjudicator(t.Context(), hitl.Reviewer{Team: tc.team, User: tc.user}, tc.queue)
		var no *notAllowedError
		if (err == nil) != tc.want || err != nil && !errors.As(err, &no) {
			t.Errorf("%+v: %v", tc, err)
		}
	}
}
