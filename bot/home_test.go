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

	"github.com/slack-go/slack"

	"hitl"
	"hitl/bot/slacksim"
)

// batches turns batches of up to five on.
func batches(s *setup) {
	q := s.bot.Queues["support"]
	q.BatchLimit = 5
	s.bot.Queues["support"] = q
	withUndo(s)
}

// openHome shows somebody their home tab.
func (w *world) openHome(user string) slacksim.View {
	w.t.Helper()
	out, err := w.sim.OpenHome(w.t.Context(), user)
	if err != nil || out.Error != "" {
		w.t.Fatalf("open home: %+v, %v", out, err)
	}
	return w.homeOf(user)
}

func (w *world) homeOf(user string) slacksim.View {
	w.t.Helper()
	w.bot.Wait()
	v, ok := w.sim.Home(user)
	if !ok {
		w.t.Fatal("no home tab")
	}
	return v
}

// inHome does something in somebody's home tab and returns what they see then.
func (w *world) inHome(user string, c slacksim.Click) slacksim.View {
	w.t.Helper()
	c.User, c.ViewID = user, w.homeOf(user).ID
	if out, err := w.sim.Click(w.t.Context(), c); err != nil || out.Error != "" {
		w.t.Fatalf("%+v: %+v, %v", c, out, err)
	}
	return w.homeOf(user)
}

// pick ticks the boxes of reviews.
func (w *world) pick(user string, ids ...string) (v slacksim.View) {
	w.t.Helper()
	for _, id := range ids {
		v = w.inHome(user, slacksim.Click{BlockID: rowBlock(id), ActionID: actionPick, Input: slacksim.Input{Options: []string{id + ".1"}}})
	}
	return v
}

// onTop is the modal that a user sees.
func (w *world) onTop(user string) slacksim.View {
	w.t.Helper()
	w.bot.Wait()
	views := w.sim.Views(user)
	if len(views) == 0 {
		w.t.Fatalf("%s sees no modal", user)
	}
	return views[len(views)-1]
}

func text(t *testing.T, v slacksim.View) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func labelled(label string) func(*hitl.Record) {
	return func(r *hitl.Record) { r.Prediction.Label = label }
}

func (w *world) addMany(n int) (ids []string) {
	for i := range n {
		rec := w.add(func(r *hitl.Record) { r.Item.Text = fmt.Sprint("text number ", i, ".") })
		ids = append(ids, rec.Review.ID)
	}
	return ids
}

func TestHome(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		w.add(labelled("POSITIVE"), func(r *hitl.Record) { r.Item.Text = "A lovely day." })
		w.addMany(24)
		v := text(t, w.openHome(ana))
		if !strings.Contains(v, "25 reviews wait") || !strings.Contains(v, "page 1 of 2") || !strings.Contains(v, "A lovely day.") {
			t.Errorf("home: %s", v)
		}
		v = text(t, w.inHome(ana, slacksim.Click{ActionID: actionHomeOn}))
		if !strings.Contains(v, "page 2 of 2") || strings.Count(v, "text number") != 5 {
			t.Errorf("second page: %s", v)
		}
		v = text(t, w.inHome(ana, slacksim.Click{ActionID: actionHomeLabel, Input: slacksim.Input{Option: labelKey("POSITIVE")}}))
		if !strings.Contains(v, "1 review · page 1 of 1") || strings.Contains(v, "text number") || !strings.Contains(v, "A lovely day.") {
			t.Errorf("filtered: %s", v)
		}
		// The filter outlives a refresh, and an opening.
		for range 2 {
			if v = text(t, w.inHome(ana, slacksim.Click{ActionID: actionRefresh})); strings.Contains(v, "text number") {
				t.Errorf("refreshed: %s", v)
			}
			w.openHome(ana)
		}
		v = text(t, w.inHome(ana, slacksim.Click{ActionID: actionHomeLabel, Input: slacksim.Input{Option: optionAll}}))
		if !strings.Contains(v, "25 reviews · page 1") {
			t.Errorf("all again: %s", v)
		}
		if v := text(t, w.openHome(chloe)); !strings.Contains(v, "You review no queue") || strings.Contains(v, "lovely") {
			t.Errorf("a stranger sees %s", v)
		}
		w.clean()
	}, batches)
}

func TestHomeNotLoaded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, batches)
	w.add()
	w.store.failing("Waits", func(context.Context) error { return errors.New("away") })
	if v := text(t, w.openHome(ana)); !strings.Contains(v, "could not be loaded") {
		t.Errorf("home: %s", v)
	}
	w.store.failing("Waits", nil)
	if v := text(t, w.inHome(ana, slacksim.Click{ActionID: actionRefresh})); !strings.Contains(v, "1 review waits") {
		t.Errorf("home: %s", v)
	}
}

func TestBatch(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		ids := w.addMany(3)
		w.openHome(ana)
		v := w.pick(ana, ids...)
		if s := text(t, v); !strings.Contains(s, "Accept 3 as NEGATIVE…") {
			t.Errorf("home: %s", s)
		}
		w.inHome(ana, slacksim.Click{ActionID: actionBatchAccept})
		form := w.onTop(ana)
		if s := text(t, form); !strings.Contains(s, "3 reviews in `support` get the answer `NEGATIVE`") || !strings.Contains(s, "text number 2.") {
			t.Fatalf("form: %s", s)
		}
		if len(w.store.decisions) != 0 {
			t.Error("decided before it was confirmed")
		}
		out, err := w.sim.SubmitView(t.Context(), slacksim.Submit{User: ana})
		if err != nil || out.Error != "" || !strings.Contains(out.Answer, "Recording 3 answers") {
			t.Fatalf("answer: %+v, %v", out, err)
		}
		done := w.onTop(ana)
		if s := text(t, done); !strings.Contains(s, "3 answers are recorded: `NEGATIVE`") {
			t.Errorf("result: %s", s)
		}
		var batch string
		for _, id := range ids {
			d, ok := w.store.decision(id)
			if !ok || d.Status != hitl.HumanAccepted || d.Reviewer.User != ana || d.Context["surface"] != "batch" || d.Context["batch"] == "" {
				t.Errorf("%s: %+v", id, d)
			}
			batch = d.Context["batch"]
		}
		if s := text(t, w.homeOf(ana)); !strings.Contains(s, "Nothing waits here") || !strings.Contains(s, "3 reviews in `support` decided at one go") {
			t.Errorf("home: %s", s)
		}
		if out, err := w.sim.Click(t.Context(), slacksim.Click{User: ana, ViewID: done.ID, ActionID: actionBatchUndo, Value: batch}); err != nil || out.Error != "" {
			t.Fatalf("undo: %+v, %v", out, err)
		}
		if s := text(t, w.onTop(ana)); !strings.Contains(s, "3 answers were taken back") {
			t.Errorf("undone: %s", s)
		}
		if s := text(t, w.homeOf(ana)); !strings.Contains(s, "3 reviews wait") {
			t.Errorf("home: %s", s)
		}
		w.clean()
	}, batches)
}

// Two people confirm the same reviews at the same time: each review is decided once, and both are told the truth.
func TestBatchRace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, batches)
	ids := w.addMany(5)
	people := []string{ana, ben}
	for _, who := range people {
		w.openHome(who)
		w.pick(who, ids...)
		w.inHome(who, slacksim.Click{ActionID: actionBatchAccept})
		w.onTop(who)
	}
	var both sync.WaitGroup
	for _, who := range people {
		both.Go(func() {
			if out, err := w.sim.SubmitView(t.Context(), slacksim.Submit{User: who}); err != nil || out.Error != "" {
				t.Errorf("%s: %+v, %v", who, out, err)
			}
		})
	}
	both.Wait()
	w.bot.Wait()
	won := map[string]int{}
	for _, id := range ids {
		d, ok := w.store.decision(id)
		if !ok {
			t.Errorf("%s is not decided", id)
		}
		won[d.Reviewer.User]++
	}
	for i, who := range people {
		s, other := text(t, w.onTop(who)), people[1-i]
		if n := won[who]; n > 1 && !strings.Contains(s, fmt.Sprintf("%d answers are recorded", n)) || n == 0 && !strings.Contains(s, "No answer was recorded") {
			t.Errorf("%s won %d and reads %s", who, n, s)
		}
		if n := strings.Count(s, "by \\u003c@"+other); n != won[other] {
			t.Errorf("%s lost %d and reads %s", who, won[other], s)
		}
	}
	w.clean()
}

// submission is what Slack sends when a batch's form is sent.
func (w *world) submission(user string, d batch, label string) interaction {
	in := interaction{Type: "view_submission", User: userField{ID: user}, who: hitl.Reviewer{Team: "T0SLACKSIM", User: user}}
	in.View.ID, in.View.CallbackID, in.View.PrivateMetadata = "V1", viewBatch, d.String()
	if label != "" {
		f := field{}
		f.SelectedOption.Value = labelKey(label)
		in.View.State.Values = map[string]map[string]field{blockLabel: {fieldLabel: f}}
	}
	return in
}

// Sent twice, late, by strangers, changed on the way: what a batch does is what each of its reviews allows at that moment.
func TestBatchSubmissions(t *testing.T) {
	t.Parallel()
	limit := func(n int) func(*setup) {
		return func(s *setup) {
			q := s.bot.Queues["support"]
			q.BatchLimit = n
			s.bot.Queues["support"] = q
		}
	}
	of := func(ids ...string) batch {
		d := batch{ID: "bat_1", Queue: "support", Label: labelKey("NEGATIVE")}
		for _, id := range ids {
			d.Refs = append(d.Refs, id+".1")
		}
		return d
	}
	w := newWorld(t, limit(6))
	ids := w.addMany(2)
	panel := w.add(func(r *hitl.Record) { r.Review.Panel = 3 }).Review.ID
	blind := w.add(func(r *hitl.Record) { r.Review.Blind = true }).Review.ID
	moved := w.add(func(r *hitl.Record) { r.Review.Queue = "billing" }).Review.ID

	w.bot.submit(t.Context(), w.submission(chloe, of(ids...), ""))
	w.bot.Wait()
	if _, ok := w.store.decision(ids[0]); ok {
		t.Error("a stranger decided")
	}
	for range 2 {
		w.bot.submit(t.Context(), w.submission(ana, of(append(ids, panel, blind, moved, "rev_none")...), ""))
		w.bot.Wait()
	}
	if n := w.seen.count(&w.seen.clicked, "batch accepted"); n != 4 || len(w.store.decisions) != 2 {
		t.Errorf("accepted %d times, %d decisions", n, len(w.store.decisions))
	}
	for _, id := range []string{panel, blind, moved} {
		if _, ok := w.store.decision(id); ok {
			t.Errorf("%s is decided", id)
		}
	}
	for _, bad := range []string{"", "{}", `{"batch":"bat_1","refs":["rev_1"]}`, `{"batch":"bat_1","refs":["rev_1.1","rev_1.1"]}`, `{"batch":"B","refs":["rev_1.1"]}`} {
		in := w.submission(ana, batch{}, "")
		in.View.PrivateMetadata = bad
		a, err := json.Marshal(w.bot.submit(t.Context(), in).body)
		if err != nil || !strings.Contains(string(a), "Unknown review") {
			t.Errorf("%q: %s, %v", bad, a, err)
		}
	}
	other := of(ids...)
	other.Label = ""
	if a, _ := json.Marshal(w.bot.submit(t.Context(), w.submission(ana, other, "")).body); !strings.Contains(string(a), blockLabel) {
		t.Errorf("no label chosen: %s", a)
	}
	last := w.addMany(1)
	other.Refs = []string{last[0] + ".1"}
	for _, label := range []string{"unheard of", "POSITIVE"} {
		w.bot.submit(t.Context(), w.submission(ana, other, label))
		w.bot.Wait()
		if d, ok := w.store.decision(last[0]); ok && (d.Status != hitl.HumanCorrected || d.Label != "POSITIVE") {
			t.Errorf("%s: %+v", label, d)
		}
	}
	if _, ok := w.store.decision(last[0]); !ok {
		t.Error("not corrected")
	}

	for name, n := range map[string]int{"off": 0, "lowered": 1} {
		w := newWorld(t, limit(n))
		ids := w.addMany(2)
		w.bot.submit(t.Context(), w.submission(ana, of(ids...), ""))
		w.bot.Wait()
		if len(w.store.decisions) != 0 {
			t.Errorf("%s: %d decisions", name, len(w.store.decisions))
		}
	}
}

// When recording fails in the middle, what is recorded stays, the person is told that some is not, and saying it again mends it.
func TestBatchFailsInTheMiddle(t *testing.T) {
	t.Parallel()
	w := newWorld(t, batches)
	ids := w.addMany(4)
	w.openHome(ana)
	w.pick(ana, ids...)
	w.inHome(ana, slacksim.Click{ActionID: actionBatchOther})
	w.onTop(ana)
	n := 0
	w.store.failing("Decide", func(context.Context) error {
		if n++; n > 2 {
			return errors.New("away")
		}
		return nil
	})
	in := slacksim.Submit{User: ana, Values: map[string]map[string]slacksim.Input{blockLabel: {fieldLabel: {Option: labelKey("POSITIVE")}}}}
	if out, err := w.sim.SubmitView(t.Context(), in); err != nil || out.Error != "" {
		t.Fatalf("%+v, %v", out, err)
	}
	if s := text(t, w.onTop(ana)); !strings.Contains(s, "2 answers are recorded: `POSITIVE`") || !strings.Contains(s, "2 answers were not saved") {
		t.Errorf("result: %s", s)
	}
	if s := text(t, w.homeOf(ana)); !strings.Contains(s, "2 reviews wait") {
		t.Errorf("home: %s", s)
	}
}

func TestBatchExplains(t *testing.T) {
	t.Parallel()
	w := newWorld(t, batches)
	a, b := w.add(), w.add(labelled("POSITIVE"))
	many := w.addMany(5)
	w.openHome(ana)
	says := func(action, want string) {
		t.Helper()
		w.inHome(ana, slacksim.Click{ActionID: action})
		if s := text(t, w.onTop(ana)); !strings.Contains(s, want) {
			t.Errorf("want %q: %s", want, s)
		}
		if _, err := w.sim.CloseView(t.Context(), ana, true); err != nil {
			t.Fatal(err)
		}
	}
	says(actionBatchAccept, "No review is chosen")
	if s := text(t, w.pick(ana, a.Review.ID, b.Review.ID)); !strings.Contains(s, "suggests different labels") {
		t.Errorf("home: %s", s)
	}
	says(actionBatchAccept, "suggests different labels")
	says(actionBatchOther, "2 reviews in `support` get the answer that you choose")
	w.pick(ana, many...)
	says(actionBatchOther, "at most 5 can be decided together")
}

// homeTabs are home tabs in all their states.
func homeTabs(l *language) map[string]slack.HomeTabViewRequest {
	now := testTime.Add(2 * 3600e9)
	full := homePage{
		queues: []hitl.QueueWait{{Queue: "billing"}, {Queue: "support", Open: 41, OldestAge: 3 * 3600e9}},
		labels: []string{"NEGATIVE", "POSITIVE"}, state: homeState{Queue: "support", Page: 1}, total: 41, limit: 5, now: now,
	}
	add := func(h *homePage, id string, change ...func(*hitl.Record)) {
		h.rows = append(h.rows, asIs(id, change...))
		h.state.Rows = append(h.state.Rows, id)
	}
	add(&full, "rev_1")
	add(&full, "rev_2", labelled("POSITIVE"), func(r *hitl.Record) { r.Review.Priority, r.Item.Text = hitl.PriorityUrgent, hostile })
	add(&full, "rev_3", func(r *hitl.Record) { r.Review.Panel = 3 })
	add(&full, "rev_4", func(r *hitl.Record) { r.Review.Blind = true })
	add(&full, "rev_5", failure0, func(r *hitl.Record) {
		r.Review.ClaimedBy, r.Review.ClaimedUntil = hitl.Reviewer{User: ana}, now.Add(60e9)
	})
	add(&full, "rev_6", decidedBy(hitl.HumanAccepted, "NEGATIVE"))
	add(&full, "rev_7", func(r *hitl.Record) { r.Item.Text = "" })
	full.rows = append(full.rows, hidden(newRecord("rev_8", private)))
	full.state.Rows = append(full.state.Rows, "rev_8")

	picked := full
	picked.state.Picks = map[string]bool{"rev_1": true, "rev_8": true}
	mixed := full
	mixed.state.Picks = map[string]bool{"rev_1": true, "rev_2": true}
	mixed.state.said = func(l *language) string { return undoneWords(l, batchUndone{undone: 2, kept: 1}, nil) }
	mixed.claims = []screened{asIs("rev_9", func(r *hitl.Record) { r.Review.ClaimedUntil = now })}
	mixed.batches = []hitl.Batch{{ID: "bat_1", Queue: "support", Label: "<!here>", Until: now, Reviews: make([]hitl.BatchReview, 3)}}
	mixed.state.Order, mixed.state.Age, mixed.state.Label = hitl.NewestFirst, "7d", labelKey("POSITIVE")

	most := homePage{state: homeState{Queue: "<!here>0", Page: 3}, total: 1 << 20, limit: homeRows, now: now}
	for i := range 200 {
		most.queues = append(most.queues, hitl.QueueWait{Queue: fmt.Sprint("<!here>", i), Open: 1 << 30, OldestAge: 1 << 60})
		most.labels = append(most.labels, strings.Repeat("<&>", 40)+fmt.Sprint(i))
	}
	for i := range homeRows {
		add(&most, fmt.Sprintf("rev_%026d", i), func(r *hitl.Record) { r.Item.Text = strings.Repeat("\u2028<&>\x01", 5000); r.Review.ClaimedUntil = now })
		most.claims = append(most.claims, most.rows[i])
		most.batches = append(most.batches, hitl.Batch{ID: fmt.Sprint("bat_", i), Queue: "a", Label: strings.Repeat("<&>", 40), Until: now, Reviews: make([]hitl.BatchReview, 20)})
	}
	for i := range 200 {
		most.owned = append(most.owned, owned{hitl.QueueFigures{
			QueueWait: hitl.QueueWait{Queue: fmt.Sprint("<!here>", i), Open: 1 << 30, OldestAge: 1 << 60}, Items: 1 << 30, Reviewed: 1 << 29, Accepted: 1 << 30,
		}, true})
	}
	owner := full
	owner.rows, owner.state.Rows = nil, nil
	owner.owned = []owned{
		{hitl.QueueFigures{QueueWait: hitl.QueueWait{Queue: "billing"}, Items: 120}, true},
		{hitl.QueueFigures{QueueWait: full.queues[1], Items: 1200, Reviewed: 130, Accepted: 75, Corrected: 25}, false},
	}
	ownerOnly := homePage{owned: owner.owned, refused: saying("home.no_queues")}
	empty := homePage{queues: full.queues[:1], state: homeState{Queue: "billing"}, limit: 20, now: now}
	single := full
	single.limit = 0
	return map[string]slack.HomeTabViewRequest{
		"home_no_queues": homeView(l, homePage{refused: saying("home.no_queues")}), "home_not_loaded": homeView(l, homePage{refused: saying("home.not_loaded")}),
		"home_empty": homeView(l, empty), "home_full": homeView(l, full), "home_picked": homeView(l, picked), "home_mixed": homeView(l, mixed),
		"home_owner": homeView(l, owner), "home_owner_only": homeView(l, ownerOnly),
		"home_most": homeView(l, most), "home_one_by_one": homeView(l, single),
	}
}

// batchViews are the modals of batches in all their states.
func batchViews(l *language) map[string]slack.ModalViewRequest {
	d := batch{ID: "bat_1", Queue: "support", Refs: []string{"rev_1.1", "rev_2.1", "rev_3.1", "rev_4.1", "rev_5.1", "rev_6.1"}, Ref: "rev_1.1"}
	hostileRow := asIs("rev_2", func(r *hitl.Record) { r.Item.Text = hostile })
	withheld := asIs("rev_3", func(r *hitl.Record) { r.Item.Text = "" })
	lost := asIs("rev_2", decidedBy(hitl.HumanAccepted, "NEGATIVE"))
	say := func(words string) slack.ModalViewRequest { return notice(l, l.say("batch.title"), words, viewData{}) }
	return map[string]slack.ModalViewRequest{
		"batch_confirm": batchModal(l, d, "NEGATIVE", []screened{asIs("rev_1"), hostileRow, withheld}, []string{"Sarcasm"}, testTime),
		"batch_other":   batchModal(l, batch{ID: "bat_1", Queue: "support", Refs: d.Refs[:1]}, "", []screened{asIs("rev_1")}, nil, testTime),
		"batch_working": say(l.say("batch.working", "N", 6)),
		"batch_done":    batchDone(l, batchResult{label: "NEGATIVE", recorded: 6, undo: &hitl.Batch{ID: "bat_1", Queue: "support", Label: "NEGATIVE", Until: testTime, Reviews: make([]hitl.BatchReview, 6)}}),
		"batch_done_partly": batchDone(l, batchResult{label: "NEGATIVE", recorded: 1, failed: 2, others: []batchOther{
			{rec: lost, why: func(l *language) string { return closedWords(l, lost, hitl.Reviewer{}) }},
			{why: saying("told.unknown")},
			{rec: hostileRow, why: saying("batch.panel")},
			{rec: withheld, why: saying("batch.blind")},
			{rec: withheld, why: saying("batch.moved")},
			{rec: withheld, why: saying("batch.limit_now")},
			{rec: withheld, why: saying("batch.closed")},
		}}),
		"batch_done_nothing": batchDone(l, batchResult{failed: 1}),
		"batch_none":         say(l.say("batch.none")), "batch_mixed": say(l.say("batch.mixed")), "batch_all_gone": say(l.say("batch.all_gone")),
		"batch_off": say(l.say("batch.off", "Queue", "`support`")), "batch_too_many": say(l.say("batch.too_many", "N", 6, "Limit", 5)),
		"batch_undone":        say(undoneWords(l, batchUndone{undone: 1}, nil)),
		"batch_undo_late":     say(undoneWords(l, batchUndone{}, nil)),
		"batch_undo_failed":   say(undoneWords(l, batchUndone{undone: 3, open: 1}, nil)),
		"batch_undo_no_right": say(undoneWords(l, batchUndone{}, &notAllowedError{saying("told.members_only")})),
	}
}

// However much there is to show, and whatever it says, Slack takes the home tab.
func TestHomeKeepsSlacksLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, l := range every(t).all {
		for name, v := range homeTabs(l) {
			raw, err := json.Marshal(v)
			if n := len(v.Blocks.BlockSet); n > 100 || len(raw) > 250_000 || err != nil {
				t.Errorf("%s: %d blocks, %d bytes, %v", name, n, len(raw), err)
			}
			if err := w.bot.api.publishHome(t.Context(), ana, v); err != nil {
				t.Errorf("%s: %v", in(l, name), err)
			}
			for _, text := range mrkdwnOf(t, message{Text: "-", Blocks: v.Blocks.BlockSet}) {
				if rest := allowedMarkup.ReplaceAllString(text, ""); strings.ContainsAny(rest, "<>") {
					t.Errorf("%s holds markup of somebody else's: %q", name, text)
				}
			}
		}
	}
	w.clean()
}

func TestHomeState(t *testing.T) {
	t.Parallel()
	s := homeState{Queue: "support", Label: "k", Age: "1h", Order: hitl.NewestFirst, Page: 2, Rows: []string{"rev_1"}}
	if got := parseHomeState(s.String()); fmt.Sprint(got) != fmt.Sprint(s) {
		t.Errorf("%+v", got)
	}
	for _, bad := range []string{"", "[]", `{"rows":["` + strings.Join(slices.Repeat([]string{"a"}, 21), `","`) + `"]}`} {
		if got := parseHomeState(bad); got.Queue != "" || got.Rows != nil {
			t.Errorf("%q: %+v", bad, got)
		}
	}
	if got := parseHomeState(`{"age":"2y","order":"loudest"}`); got.Age != "" || got.Order != "" {
		t.Errorf("%+v", got)
	}
}
