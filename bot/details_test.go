package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"hitl"
	"hitl/bot/slacksim"
)

// veiled is a record of a queue that is sensitive, or that warns of labels.
func veiled(rec hitl.Record, sensitive bool, labels ...string) screened {
	b := &Bot{cfg: Config{Desk: claimingDesk(), Queues: map[string]Queue{rec.Review.Queue: {Sensitive: sensitive, Distressing: labels}}}}
	return b.screen(rec)
}

// lifted is one after somebody asked to see it.
func lifted(rec hitl.Record, sensitive bool, labels ...string) screened {
	b := &Bot{cfg: Config{Desk: claimingDesk(), Queues: map[string]Queue{rec.Review.Queue: {Sensitive: sensitive, Distressing: labels}}}}
	return b.mask(rec)
}

func plainly(change ...func(*hitl.Record)) screened {
	return (&Bot{cfg: Config{Desk: claimingDesk()}}).screen(newRecord("rev_1", change...))
}

// veiledCards are the cards of veiled items, and of twins.
func veiledCards(l *language) map[string]message {
	blind := func(r *hitl.Record) { r.Review.Blind = true }
	accepted := decidedBy(hitl.HumanAccepted, "NEGATIVE")
	return map[string]message{
		"card_open_sensitive":         card(l, veiled(newRecord("rev_1"), true)),
		"card_open_distressing":       card(l, veiled(newRecord("rev_1"), false, "NEGATIVE", "NEUTRAL", "POSITIVE")),
		"card_open_distressing_blind": card(l, veiled(newRecord("rev_1", blind), true, "NEGATIVE")),
		"card_accepted_sensitive":     card(l, veiled(newRecord("rev_1", accepted), true)),
		"card_plain_open_sensitive":   plainCard(l, veiled(newRecord("rev_1"), true)),
		"card_erased_sensitive":       card(l, veiled(newRecord("rev_1", accepted, erase), true)),
		"card_open_twins":             card(l, plainly(func(r *hitl.Record) { r.Twins = 3 })),
		"card_open_many_twins":        card(l, plainly(func(r *hitl.Record) { r.Twins = hitl.MaxTwins })),
	}
}

// detailViews are the details in all their states.
func detailViews(l *language) map[string]slack.ModalViewRequest {
	at := viewData{Ref: "rev_1.1", Channel: channel, TS: "1.000001"}
	page := func(n int) viewData { d := at; d.Page = n; return d }
	shown := viewData{Ref: "rev_1.1", Shown: true}
	raw := viewData{Ref: "rev_1.1", Shown: true, Raw: true}
	long := func(r *hitl.Record) { r.Item.Text = strings.Repeat("word by word ", 60*blockUnits*pageBlocks/13) }
	commented := decidedBy(hitl.HumanCorrected, "POSITIVE", func(d *hitl.Decision) { d.Comment = "He <@U0BEN> is ana.ruiz@example.com." })
	many := func(r *hitl.Record) {
		r.Labels, r.Prediction.Scores = nil, nil
		for i := range 300 {
			name := "topic " + strings.Repeat("<&>`", i%9) + l.number(i)
			r.Labels = append(r.Labels, name)
			r.Prediction.Scores = append(r.Prediction.Scores, hitl.Score{Label: name, Probability: 1 / float64(2+i*i)})
		}
	}
	rules := func(r *hitl.Record) {
		r.Route.Triggers = append(r.Route.Triggers, hitl.RuleTrigger("refunds"), hitl.RuleTrigger("<!here>`x`"), hitl.TriggerAlwaysReview)
	}
	data := map[string]any{
		"order": map[string]any{"id": "A-7", "lines": []any{1.5, true, nil, map[string]any{}, []any{}}}, "<!channel>`": "<@U0BEN>\n*bold*", "card": "4111 1111 1111 1111",
		"number": 4111111111111111.0, "ana.ruiz@example.com": "key", "note": strings.Repeat("long ", 100), "none": "",
	}
	large := map[string]any{}
	for i := range 640 {
		large[fmt.Sprintf("key %04d", i)] = strings.Repeat("x", 90)
	}
	with := func(m map[string]any) func(*hitl.Record) { return func(r *hitl.Record) { r.Item.Metadata = m } }
	precedents := []precedent{
		{hitl.Precedent{Text: "The parcel came late <!here>", Length: 28, AILabel: "NEGATIVE", Twin: true, Decision: hitl.Decision{
			Status: hitl.HumanCorrected, Label: "POSITIVE", Reviewer: hitl.Reviewer{User: ana}, At: testTime,
		}}, 1},
		{hitl.Precedent{Text: strings.Repeat("The parcel ", 200), Length: 9000, AILabel: "NEGATIVE", Decision: hitl.Decision{
			Status: hitl.HumanAccepted, Label: "NEGATIVE", Reviewer: hitl.Reviewer{User: ana}, At: testTime,
		}}, 0.42},
		{hitl.Precedent{AILabel: "", Decision: hitl.Decision{Status: hitl.HumanCorrected, Label: "POSITIVE", Reviewer: hitl.Reviewer{User: "import"}, At: testTime}}, 0.3},
	}
	twins := details{
		screened: plainly(func(r *hitl.Record) { r.Twins = 12 }), at: at, twins: []string{"ticket-4712", "<!channel>`"}, precedents: precedents, entries: past(),
	}
	blind := twins
	blind.screened = plainly(func(r *hitl.Record) { r.Review.Blind, r.Twins = true, 0 })
	blind.twins = nil
	return map[string]slack.ModalViewRequest{
		"modal_details":             detailsModal(l, details{screened: plainly(), at: at}),
		"modal_details_hostile":     detailsModal(l, details{screened: plainly(func(r *hitl.Record) { r.Item.Text, r.Item.ExternalID = hostile, hostile }), at: at}),
		"modal_details_links":       detailsModal(l, details{screened: plainly(func(r *hitl.Record) { r.Item.Text = autolinked }), at: at}),
		"modal_details_first_of_60": detailsModal(l, details{screened: plainly(long), at: at}),
		"modal_details_31_of_60":    detailsModal(l, details{screened: plainly(long), at: page(30)}),
		"modal_details_last_of_60":  detailsModal(l, details{screened: plainly(long), at: page(1000)}),
		"modal_details_300_labels":  detailsModal(l, details{screened: plainly(many), at: at}),
		"modal_details_no_labels":   detailsModal(l, details{screened: plainly(failure0), at: at}),
		"modal_details_rules": detailsModal(l, details{screened: plainly(rules), at: at, rules: map[string]string{
			"refunds": "Money is at stake <!here>", "<!here>`x`": strings.Repeat("so it is ", 100),
		}}),
		"modal_details_metadata":          detailsModal(l, details{screened: plainly(with(data)), at: at}),
		"modal_details_64_kB_of_metadata": detailsModal(l, details{screened: plainly(with(large)), at: at}),
		"modal_details_redacted":          detailsModal(l, details{screened: hidden(newRecord("rev_1", private, with(data), commented)), at: at}),
		"modal_details_revealed":          detailsModal(l, details{screened: (&Bot{cfg: Config{Desk: claimingDesk()}}).bare(newRecord("rev_1", private, with(data), commented)), at: raw}),
		"modal_details_sensitive":         detailsModal(l, details{screened: lifted(newRecord("rev_1", with(data)), true), at: shown}),
		"modal_details_distressing":       detailsModal(l, details{screened: veiled(newRecord("rev_1", with(data)), true, "NEGATIVE"), at: at}),
		"modal_details_distressing_shown": detailsModal(l, details{screened: lifted(newRecord("rev_1", with(data)), true, "NEGATIVE"), at: shown}),
		"modal_details_distressing_blind": detailsModal(l, details{screened: veiled(newRecord("rev_1", func(r *hitl.Record) { r.Review.Blind = true }), false, "NEGATIVE"), at: at}),
		"modal_details_twins":             detailsModal(l, twins),
		"modal_details_blind":             detailsModal(l, blind),
		"modal_details_missing":           detailsModal(l, details{screened: plainly(), at: at, missing: true}),
		"modal_details_erased":            detailsModal(l, details{screened: plainly(commented, erase), at: at, entries: past()}),
		"modal_correct_distressing":       correctModal(l, veiled(newRecord("rev_1"), false, "NEGATIVE"), form{}, at),
		"modal_correct_sensitive":         correctModal(l, veiled(newRecord("rev_1"), true), form{}, at),
	}
}

// past are entries of every kind.
func past() []hitl.Entry {
	var out []hitl.Entry
	for i, e := range []hitl.Entry{
		{Status: hitl.HumanReview, Context: map[string]any{"queue": "support", "round": 1.0}},
		{Status: hitl.Revealed, Reviewer: "T0SLACKSIM/U0ANA"},
		{Status: hitl.SkippedByOne, Reviewer: "T0SLACKSIM/U0ANA"},
		{Status: hitl.HumanAccepted, Label: "NEGATIVE", AILabel: "NEGATIVE", Reviewer: "T0SLACKSIM/U0ANA", Context: map[string]any{"where": map[string]any{"with": "rev_0"}}},
		{Status: hitl.Reopened, Reviewer: "T0SLACKSIM/U0ANA", Context: map[string]any{"round": 2.0}},
		{Status: hitl.Voted, Reviewer: "T0SLACKSIM/U0ANA", Context: map[string]any{"round": 2.0}},
		{Status: hitl.Noted, Reviewer: "T0SLACKSIM/U0ANA", Context: map[string]any{"round": 2.0}},
		{Status: hitl.HumanCorrected, Label: "POSITIVE", AILabel: "NEGATIVE", Reviewer: "T0SLACKSIM/U0ANA", Context: map[string]any{"round": 2.0}},
		{Status: hitl.Expired, Reviewer: "system"},
		{Status: hitl.Cancelled, Reviewer: "system"},
		{Status: hitl.Erased, Reviewer: "cli/<!channel>"},
		{Status: hitl.AIAccepted},
		{Status: hitl.Escalated, Reviewer: "system"},
		{Status: "NEW_`ONE`", Reviewer: "T1/<@U0BEN>"},
	} {
		e.At = testTime.Add(time.Duration(i) * time.Minute)
		out = append(out, e)
	}
	for len(out) <= maxPast {
		out = append([]hitl.Entry{{Status: hitl.Revealed, Reviewer: "T0SLACKSIM/U0ANA", At: testTime}}, out...)
	}
	return out
}

func detailSurfaces(l *language, out map[string]any) {
	for name, m := range veiledCards(l) {
		out[in(l, name)] = m
	}
	for name, v := range detailViews(l) {
		out[in(l, name)] = v
	}
}

// textOf is what a view of the details shows of the item's text: the quotes before anything else is said.
func textOf(v slacksim.View) string {
	var shown strings.Builder
	for _, b := range v.Blocks {
		if b["type"] == "rich_text" && strings.Contains(fmt.Sprint(b), "rich_text_quote") {
			shown.WriteString(slacksim.Message{Blocks: []slacksim.Block{b}}.AllText()[1:])
		}
	}
	return shown.String()
}

// Every page of a text can be reached, and together they are all of it.
func TestPagesHoldTheWholeText(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"short":      "All of it.",
		"a megabyte": strings.Repeat("<&> markup counts several times. ", hitl.MaxTextBytes/33),
		"emoji":      strings.Repeat("\U0001F468\u200D\U0001F469\u200D\U0001F467", 20000),
		"newlines":   strings.Repeat("\n", 40000) + "end",
		"no breaks":  strings.Repeat("x", 100001),
		"hostile":    strings.Repeat(hostile, 200),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			_, m := w.posted(func(r *hitl.Record) { r.Item.Text = text })
			v := w.opened(ben, m, actionText)
			shown := textOf(v)
			for n := 1; hasAction(v, actionPage+"next"); n++ {
				w.clickView(ben, v, actionPage+"next")
				v = w.top(ben)
				shown += textOf(v)
				if n > 100 {
					t.Fatal("there is no end")
				}
			}
			if want := visible(inEnglish, text); shown != want {
				t.Errorf("%d of %d bytes shown", len(shown), len(want))
			}
			for len(text) < 500_000 && hasAction(v, actionPage+"previous") {
				w.clickView(ben, v, actionPage+"previous")
				v = w.top(ben)
			}
			if first := !hasAction(v, actionPage+"previous"); first && (!strings.HasPrefix(shown, textOf(v)) || !strings.Contains(v.AllText(), "Needs a person")) {
				t.Error("the way back does not lead to the first page")
			}
			w.clean()
		})
	}
}

func hasAction(v slacksim.View, id string) bool {
	for _, b := range v.Blocks {
		if strings.Contains(fmt.Sprint(b), "action_id:"+id+" ") {
			return true
		}
	}
	return false
}

// Two clicks on one page turn it once; whoever has lost the right turns no page; what no button can send does nothing.
func TestPageClicks(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		_, m := w.posted(func(r *hitl.Record) { r.Item.Text = strings.Repeat("word by word ", 10000) })
		v := w.opened(ben, m, actionText)
		release, waiting := make(chan struct{}), make(chan struct{}, 2)
		w.store.failing("Review", func(context.Context) error { waiting <- struct{}{}; <-release; return nil })
		for range 2 {
			if out, err := w.sim.Click(t.Context(), slacksim.Click{User: ben, ViewID: v.ID, ActionID: actionPage + "next"}); err != nil || out.Status != 200 {
				t.Fatalf("answer: %+v, %v", out, err)
			}
			<-waiting
		}
		close(release)
		w.bot.Wait()
		w.store.failing("Review", nil)
		if text := w.top(ben).AllText(); !strings.Contains(text, "Page 2 of") {
			t.Errorf("modal: %.200s", text)
		}
		if words := w.whispered(ben); words != "" {
			t.Errorf("told %q", words)
		}
		for _, tc := range [][2]string{{"-5", "Page 1 of"}, {"99999999", "Page 9 of 9"}, {"x", ""}, {"", ""}} {
			value, want := tc[0], tc[1]
			in := interaction{User: userField{ID: ben}, who: hitl.Reviewer{Team: "T0SLACKSIM", User: ben}}
			in.View.ID, in.View.PrivateMetadata = w.top(ben).ID, w.top(ben).PrivateMetadata
			before := w.top(ben).AllText()
			w.bot.clickInModal(t.Context(), in, action{ActionID: actionPage + "next", Value: value})
			w.bot.Wait()
			if got := w.top(ben).AllText(); want != "" && !strings.Contains(got, want) || want == "" && got != before {
				t.Errorf("page %q: %.200s", value, got)
			}
		}
		if err := w.sim.SetGroupMembers("S0REVIEWERS", ana); err != nil {
			t.Fatal(err)
		}
		w.clickView(ben, w.top(ben), actionPage+"previous")
		if text := w.top(ben).AllText(); !strings.Contains(text, "not a reviewer") {
			t.Errorf("modal: %.200s", text)
		}
		for _, r := range w.sim.Refused() {
			if !strings.Contains(r.Problem, "hash_conflict") {
				t.Errorf("slack refused %s: %s", r.Where, r.Problem)
			}
		}
	}, func(s *setup) { s.bot.MembersFor = time.Nanosecond })
}

// What the record does not hold is loaded with the details; without it they are shown, and say so.
func TestDetailsAreLoaded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hiding, func(s *setup) {
		s.bot.Rules = func(version string) map[string]string {
			return map[string]map[string]string{"sha256:2": {"refunds": "Money is at stake"}, "sha256:3": {"refunds": "Something else"}}[version]
		}
	})
	rec, m := w.posted(func(r *hitl.Record) {
		r.Twins, r.Route.Triggers = 2, []hitl.Trigger{hitl.RuleTrigger("refunds")}
		r.Item.Metadata = map[string]any{"mail": planted[0], "n": 7.0, "card": 4111111111111111.0}
	})
	w.store.know(past(), []hitl.Record{newRecord("rev_twin", private)}, []hitl.Precedent{
		{ReviewID: "rev_p", Text: "The parcel came late, but write to " + planted[0], Length: 40, AILabel: "NEGATIVE", Decision: hitl.Decision{Status: hitl.HumanAccepted, Label: "NEGATIVE", Reviewer: hitl.Reviewer{User: ana}, At: testTime}},
		{ReviewID: "rev_q", Text: "Nothing alike", Length: 13, Decision: hitl.Decision{Status: hitl.HumanAccepted, Label: "UNSEEN"}},
	})
	text := w.opened(ben, m, actionText).AllText()
	for _, want := range []string{
		"Money is at stake", "Sent to people", "`" + mask + "`", "The parcel came late, but write to " + mask, "mail: " + mask, "card: " + mask, "n: 7", "NEGATIVE ██████░░░░ 62%",
		"2 parts are hidden", "+ 2 identical items",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the details: %s", want, text)
		}
	}
	if strings.Contains(text, "UNSEEN") || strings.Contains(text, "Something else") {
		t.Errorf("details: %s", text)
	}
	w.seesNothing()
	for _, method := range []string{"Log", "Twins", "Precedents"} {
		w.closeViews(ben)
		w.store.failing(method, func(context.Context) error { return errors.New("disk full") })
		if text := w.opened(ben, m, actionText).AllText(); !strings.Contains(text, "Not everything could be loaded") || !strings.Contains(text, rec.Item.Text) {
			t.Errorf("without %s: %s", method, text)
		}
		w.store.failing(method, nil)
	}
	// Revealed, the metadata are as they are.
	w.closeViews(ben)
	w.clickView(ben, w.opened(ben, m, actionText), actionReveal)
	if text := w.top(ben).AllText(); !strings.Contains(text, "mail: "+planted[0]) || len(w.store.revealed()) != 1 {
		t.Errorf("revealed: %s", text)
	}
	w.clean()
}

const secretText = "Nobody in the channel may read this. "

func sensitive(s *setup) {
	q := s.bot.Queues["support"]
	q.Sensitive = true
	s.bot.Queues["support"] = q
}

func distressing(s *setup) {
	q := s.bot.Queues["support"]
	q.Distressing = []string{"NEGATIVE"}
	s.bot.Queues["support"] = q
}

// keeps makes sure that a text is nowhere in the workspace, but for what one person sees in a modal.
func (w *world) keeps(text string, but ...string) {
	w.t.Helper()
	var all strings.Builder
	for _, c := range w.sim.Calls("") {
		if !strings.HasPrefix(c.Method, "views.") {
			fmt.Fprintln(&all, c.Method, c.Args)
		}
	}
	for _, user := range []string{ana, ben, chloe, "U0EVE"} {
		fmt.Fprintf(&all, "%+v\n", w.sim.Ephemerals(user))
		if len(but) == 0 || but[0] != user {
			fmt.Fprintf(&all, "%+v\n", w.sim.Views(user))
		}
	}
	fmt.Fprintf(&all, "%+v %+v\n", w.sim.Messages(channel), w.sim.Responses())
	if strings.Contains(all.String(), text) {
		w.t.Errorf("Slack holds %q", text)
	}
}

// The text of a sensitive queue is in no message, whatever is done; who asks sees it, page by page, after one entry in the log.
func TestSensitiveQueue(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		_, m := w.posted(func(r *hitl.Record) {
			r.Item.Text, r.Item.Metadata = strings.Repeat(secretText, 1000), map[string]any{"copy": secretText}
		})
		if !strings.Contains(m.Text, "not shown here") || !strings.Contains(m.AllText(), "NEGATIVE") {
			t.Errorf("card: %s", m.AllText())
		}
		w.opened(chloe, m, actionText) // who may not
		w.opened(ana, m, actionOther)
		w.closeViews(ana)
		w.keeps(secretText[:20])
		w.store.failing("Reveal", func(context.Context) error { return errors.New("connection refused") })
		if text := w.opened(ben, m, actionText).AllText(); !strings.Contains(text, "Not shown") {
			t.Errorf("modal: %s", text)
		}
		w.keeps(secretText[:20])
		w.store.failing("Reveal", nil)
		w.closeViews(ben)
		v := w.opened(ben, m, actionText)
		if !strings.Contains(textOf(v), secretText) || !strings.Contains(v.AllText(), "copy: "+strings.TrimSpace(secretText)) {
			t.Errorf("modal: %.300s", v.AllText())
		}
		w.clickView(ben, v, actionPage+"next")
		if text := textOf(w.top(ben)); !strings.Contains(text, secretText) {
			t.Errorf("second page: %.300s", text)
		}
		if got := w.store.revealed(); len(got) != 1 || got[0].Reviewer.User != ben {
			t.Errorf("revealed: %+v", got)
		}
		w.keeps(secretText[:20], ben)
		w.click(ana, m, actionAccept)
		w.keeps(secretText[:20], ben)
		w.clean()
	}, sensitive)
}

// What is hidden in a sensitive text stays hidden until it is revealed, and both are recorded.
func TestRevealInASensitiveQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hiding, sensitive)
	_, m := w.posted(func(r *hitl.Record) {
		r.Item.Text, r.Item.Metadata = secretText, map[string]any{"mail": planted[0]}
	})
	if _, ok := m.Element(actionReveal); ok {
		t.Error("the card has two ways to show what is hidden")
	}
	v := w.opened(ben, m, actionText)
	if !strings.Contains(v.AllText(), secretText[:20]) || !strings.Contains(v.AllText(), "mail: "+mask) {
		t.Errorf("modal: %s", v.AllText())
	}
	w.seesNothing()
	w.clickView(ben, v, actionReveal)
	if text := w.top(ben).AllText(); !strings.Contains(text, secretText[:20]) || !strings.Contains(text, "mail: "+planted[0]) {
		t.Errorf("modal: %s", text)
	}
	if n := len(w.store.revealed()); n != 2 {
		t.Errorf("%d entries", n)
	}
	w.clean()
}

// A distressing text is shown to who was warned, and wants to see it all the same.
func TestDistressingText(t *testing.T) {
	t.Parallel()
	w := newWorld(t, distressing)
	_, m := w.posted(func(r *hitl.Record) { r.Item.Text = secretText })
	w.store.know(nil, nil, []hitl.Precedent{
		{ReviewID: "rev_p", Text: secretText + "At all.", AILabel: "POSITIVE", Scores: []hitl.Score{{Label: "NEGATIVE", Probability: 0.2}}, Twin: true, Decision: hitl.Decision{Status: hitl.HumanAccepted, Label: "POSITIVE"}},
	})
	v := w.opened(ben, m, actionText)
	if !strings.Contains(v.AllText(), "Content warning:") || !strings.Contains(m.Text, "Content warning:* `NEGATIVE`") {
		t.Errorf("modal: %s", v.AllText())
	}
	w.keeps(secretText[:20])
	if n := len(w.store.revealed()); n != 0 {
		t.Errorf("%d entries before the text was shown", n)
	}
	w.clickView(ben, v, actionShow)
	if v = w.top(ben); !strings.Contains(v.AllText(), secretText[:20]) || strings.Contains(v.AllText(), "At all") || !strings.Contains(v.AllText(), "same text") {
		t.Errorf("modal: %s", v.AllText())
	}
	if n := len(w.store.revealed()); n != 1 {
		t.Errorf("%d entries", n)
	}
	_, mild := w.posted(func(r *hitl.Record) {
		r.Item.Text, r.Prediction.Label = "A fine day.", "POSITIVE"
		r.Prediction.Scores = []hitl.Score{{Label: "POSITIVE", Probability: 0.81}, {Label: "NEGATIVE", Probability: 0.19}}
	})
	if !strings.Contains(mild.AllText(), "A fine day.") {
		t.Errorf("card: %s", mild.AllText())
	}
	w.clean()
}

func TestVeilOfAnUnknownQueue(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*setup)
		want   bool
	}{"sensitive": {sensitive, true}, "distressing": {distressing, true}, "neither": {func(*setup) {}, false}} {
		w := newWorld(t, tc.change)
		s := w.bot.screen(newRecord("rev_1", func(r *hitl.Record) { r.Review.Queue = "gone" }))
		if s.veil.on() != tc.want || (s.Item.Text == "") != tc.want {
			t.Errorf("%s: veiled %v, text %q", name, s.veil.on(), s.Item.Text)
		}
	}
}

func TestBars(t *testing.T) {
	t.Parallel()
	got := bars(inEnglish, []hitl.Score{{Label: "b", Probability: 0.18}, {Label: "POSITIVE", Probability: 0.815}, {Label: "c", Probability: 0.0001}, {Label: "odd", Probability: -1}})
	want := "POSITIVE ████████░░ 82%\nb        ██░░░░░░░░ 18%\nc        ░░░░░░░░░░ <1%\nodd      ░░░░░░░░░░ -100%"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	var many []hitl.Score
	for i := range 20 {
		many = append(many, hitl.Score{Label: fmt.Sprint("l", i), Probability: 0.05})
	}
	if got := bars(inEnglish, many); strings.Count(got, "\n") != maxBars || !strings.HasSuffix(got, "5 others ███░░░░░░░ 25%") {
		t.Errorf("got\n%s", got)
	}
}

func TestSimilar(t *testing.T) {
	t.Parallel()
	p := func(id, text string, twin bool) hitl.Precedent {
		return hitl.Precedent{ReviewID: id, Text: text, Twin: twin}
	}
	got := similar("The parcel came TOO late!", []hitl.Precedent{
		p("none", "Lovely", false), p("some", "the parcel came", false), p("most", "the parcel came late", false), p("twin", "", true), p("all", "late, too: came the parcel", false),
		p("as much", "came the parcel", false), p("sixth", "parcel came the", false),
	})
	var ids []string
	for _, g := range got {
		ids = append(ids, g.ReviewID)
	}
	if strings.Join(ids, " ") != "twin all most some as much" {
		t.Errorf("%v", ids)
	}
	for _, empty := range []string{"", "!?", " "} {
		if got := similar(empty, []hitl.Precedent{p("x", empty, false)}); len(got) != 0 {
			t.Errorf("%q is like nothing: %+v", empty, got)
		}
	}
}

func TestFlatten(t *testing.T) {
	t.Parallel()
	got, _ := flatten(map[string]any{"b": []any{1.0, map[string]any{"x": nil}}, "a": "text", "c": map[string]any{}}, nil)
	if want := "[{a text} {b[0] 1} {b[1].x null} {c {}}]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	if got, _ := flatten(nil, nil); got != nil {
		t.Errorf("nothing is %v", got)
	}
}

// Pages are the text, whatever it is, and each fits.
func FuzzPaginate(f *testing.F) {
	f.Add("word by word ", 3000)
	f.Add("\n", 20000)
	f.Add("\U0001F468\u200D\U0001F469\u200D\U0001F467", 900)
	f.Add("e\u0301\u0301", 9000)
	f.Add("", 1)
	f.Add("\xff<&>", 8000)
	f.Fuzz(func(t *testing.T, piece string, times int) {
		text := strings.Repeat(piece, max(0, min(times, 100_000/max(1, len(piece)))))
		var all strings.Builder
		for i, blocks := range paginate(text) {
			if len(blocks) > pageBlocks || (len(blocks) == 0 && (i > 0 || text != "")) {
				t.Fatalf("page %d has %d blocks", i, len(blocks))
			}
			for _, b := range blocks {
				if b == "" || units(b) > blockUnits {
					t.Fatalf("a block of %d characters", units(b))
				}
				all.WriteString(b)
			}
		}
		if all.String() != text {
			t.Fatalf("%d bytes of %d", all.Len(), len(text))
		}
	})
}
