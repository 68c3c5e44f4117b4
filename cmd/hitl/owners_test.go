package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"hitl"
	"hitl/audit"
	"hitl/bot/slacksim"
	"hitl/config"
)

// Chloe runs the queue: its figures are in her home tab, and a command has all about it.
func TestOwnersStory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) { s.Queue = "    owners: {users: [U0CHLOE]}" })
	first, second := w.post("first", unsureText, http.StatusAccepted), w.post("second", unsureText, http.StatusAccepted)
	w.card(second)
	right := other(first.AILabel)
	w.click("U0ANA", w.card(first), right)
	w.shows(first, "U0ANA", right)
	w.asks("U0CHLOE", "queue support", "Queue support", "normal: 1, the oldest for", "1 was decided, correction rate 100.0%", "Owners: <@U0CHLOE>", "Reviews that came and were done")
	w.asks("U0CHLOE", "stats support today", "Reviews today", "`support`", "correction rate 100.0%")
	w.asks("U0CHLOE", "stats week", "Reviews this week", "all queues", "2 items")
	w.asks("U0CHLOE", "queue billing", "`billing` is not a queue; there are `support`.")
	if out, err := w.sim.OpenHome(t.Context(), "U0CHLOE"); err != nil || out.Error != "" {
		t.Fatalf("open home: %+v, %v", out, err)
	}
	var home slacksim.View
	w.eventually("Chloe's queues", func() (ok bool) {
		home, ok = w.sim.Home("U0CHLOE")
		return ok && strings.Contains(home.AllText(), "Your queues")
	})
	for _, want := range []string{"*`support`*: 1 open", "Today: 1 decided, review rate 100.0%, correction rate 100.0%"} {
		if !strings.Contains(home.AllText(), want) {
			t.Errorf("%q is not in %s", want, home.AllText())
		}
	}
	if out, err := w.sim.Click(t.Context(), slacksim.Click{User: "U0CHLOE", ViewID: home.ID, ActionID: "hitl_home_owned"}); err != nil || out.Error != "" {
		t.Fatalf("open queue: %+v, %v", out, err)
	}
	w.modal("U0CHLOE", func(v slacksim.View) bool { return strings.Contains(v.AllText(), "Queue support") })
}

// lastWeek has Ana accept 120 reviews of the week that is over within 1.5 s of one another and miss four known answers, and Ben correct every fifth of 120
// and miss none; both were told of their known answers.
const lastWeek = `
	CREATE TEMP TABLE made AS
	SELECT p.person || '_' || i AS id, p.person, i, p.person = 'U0BEN' AND i % 5 = 0 OR i <= 4 AND p.person = 'U0BEN' AS corrects, i <= 4 AS gold,
	    date_trunc('week', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - interval '3 days' + i * p.gap AS at
	FROM (VALUES ('U0ANA', interval '1.5 seconds'), ('U0BEN', interval '20 seconds')) AS p (person, gap), generate_series(1, 124) AS i;
	INSERT INTO hitl.items (id, source, external_id, body_hash, received_at, subject, text_ref, model_id, ai_label, confidence, scores, latency_ns,
	    tokens, truncated, failure, status, triggers, queue, priority, policy, threshold, inclusion)
	SELECT 'itm_' || id, 'past', id, '', at, '', '', 1, 'NEGATIVE', 0.5, '[]', 1, 1, false, '', 'HUMAN_REVIEW', '{}', 'support', 'normal', 'p', 0.9, 1
	FROM made;
	INSERT INTO hitl.reviews (id, item_id, round, state, queue, priority, opened_at)
	SELECT 'rev_' || id, 'itm_' || id, 1, 'decided', 'support', 'normal', at FROM made;
	INSERT INTO hitl.gold (item_id, queue, label, active, added_by) SELECT 'itm_' || id, 'support', 'POSITIVE', false, 'test' FROM made WHERE gold;
	INSERT INTO hitl.decisions (review_id, round, item_id, queue, ai_label, opened_at, status, label, reviewer_team, reviewer_user, reason, comment, at,
	    context, gold)
	SELECT 'rev_' || id, 1, 'itm_' || id, 'support', 'NEGATIVE', at, CASE WHEN corrects THEN 'HUMAN_CORRECTED' ELSE 'HUMAN_ACCEPTED' END,
	    CASE WHEN corrects THEN 'POSITIVE' ELSE 'NEGATIVE' END, 'T0SLACKSIM', person, '', '', at, '{}', gold FROM made;
	INSERT INTO hitl.notices (id, kind, queue, review_id, recipient, data, state)
	SELECT 'ntc_gold_' || person, 'gold_private', 'support', '', person, json_build_object('until', now()), 'posted' FROM made GROUP BY person`

// runAgain has a periodic task run at the next start.
const runAgain = `UPDATE hitl.timers SET next_at = now() WHERE name = 'flag_rubber_stamping'`

// Who decides faster than one can read and corrects nothing where the others do is pointed out to the queue's owner, once, and to nobody else.
func TestRubberStampingStory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) { s.Queue = "    owners: {users: [U0CHLOE], channel: C0REVIEW}" })
	while := func(sql string) {
		t.Helper()
		w.stop()
		conn, err := pgx.Connect(t.Context(), w.owner)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(t.Context()) }()
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
		w.start()
	}
	while(lastWeek + ";" + runAgain)
	posted := func() int {
		return query[int](w, `SELECT count(*) FROM hitl.notices WHERE kind = 'rubber_stamping' AND state = 'posted'`)
	}
	w.eventually("the owner is told", func() bool { return posted() == 1 })
	place := query[string](w, `SELECT channel FROM hitl.notices WHERE kind = 'rubber_stamping'`)
	said := w.said(place, "may be worth a conversation")
	if !strings.HasPrefix(place, "D") || len(said) != 1 {
		t.Fatalf("%d messages in %s", len(said), place)
	}
	for _, want := range []string{
		"<@U0ANA>", "within 1.5 s after the one before (123 times", "0 of 120 (0.0%)", "24 of 120 (20.0%)", "missed: 4 of 4 (100.0%)", "0 of 4 (0.0%)", "good reasons",
	} {
		if text := said[0].AllText(); !strings.Contains(text, want) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
	while(runAgain)
	w.eventually("the week was looked at again", func() bool {
		return query[bool](w, `SELECT next_at > now() + interval '30 minutes' FROM hitl.timers WHERE name = 'flag_rubber_stamping'`)
	})
	if n := query[int](w, `SELECT count(*) FROM hitl.notices WHERE kind = 'rubber_stamping'`); n != 1 {
		t.Errorf("%d notices", n)
	}
	if n := len(w.said(reviewChannel, "conversation")); n != 0 {
		t.Errorf("%d messages in the queue's own channel", n)
	}

	if out := w.mustHitl("quality", "reviewers"); !strings.Contains(out, "Weeks worth a conversation") || !strings.Contains(out, "0 of 120") ||
		!strings.Contains(out, "There may be good reasons.") || strings.Count(out, "24 of 120") != 1 {
		t.Errorf("reviewers: %s", out)
	}
	var people struct{ Flags []stampingFigures }
	if err := json.Unmarshal([]byte(w.mustHitl("quality", "reviewers", "--json")), &people); err != nil {
		t.Fatal(err)
	}
	if f := people.Flags; len(f) != 1 || f[0].Reviewer != "T0SLACKSIM/U0ANA" || !f[0].Agrees || f[0].PAgrees > 1e-4 || f[0].Missed != 4 || f[0].MedianGap != 1.5 {
		t.Errorf("flags: %+v", f)
	}
}

func TestWhoHearsOfStamping(t *testing.T) {
	t.Parallel()
	f := stamping{reviewer: hitl.Reviewer{Team: "T1", User: "U0ANA"}}
	for name, c := range map[string]struct {
		owners config.Owners
		want   []string
	}{
		"nobody":            {config.Owners{}, nil},
		"a channel":         {config.Owners{Channel: "C0OWN", Users: []string{"U0BEN"}}, []string{"C0OWN"}},
		"the queue's own":   {config.Owners{Channel: "C0REVIEW", Users: []string{"U0BEN", "U0CHLOE"}}, []string{"U0BEN", "U0CHLOE"}},
		"groups alone":      {config.Owners{Groups: []string{"S0"}}, nil},
		"not whom it's of":  {config.Owners{Users: []string{"U0ANA", "U0BEN"}}, []string{"U0BEN"}},
		"only whom it's of": {config.Owners{Users: []string{"U0ANA"}}, nil},
	} {
		if got := f.told(config.Queue{Channel: "C0REVIEW", Owners: c.owners}); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// Everybody is held against the others of their own queue, not against themselves.
func TestStampingsOf(t *testing.T) {
	t.Parallel()
	ana, ben := hitl.Reviewer{User: "ana"}, hitl.Reviewer{User: "ben"}
	rows := []audit.ReviewerPattern{
		{Queue: "other", Reviewer: ana, Judged: 500, Corrected: 400, Gaps: 500, MedianGap: 60},
		{Queue: "support", Reviewer: ana, Judged: 100, Gaps: 99, MedianGap: 2.9},
		{Queue: "support", Reviewer: ben, Judged: 90, Corrected: 30, Gaps: 89, MedianGap: 2.9},
	}
	got := stampingsOf(rows, "support", "2026-W47")
	if len(got) != 1 || got[0].reviewer != ana || got[0].OthersJudged != 90 || got[0].OthersCorrected != 30 || got[0].MedianGap != 2900*time.Millisecond {
		t.Errorf("%+v", got)
	}
	if got := stampingsOf(rows, "other", "2026-W47"); len(got) != 0 {
		t.Errorf("nobody to compare with, and flagged: %+v", got)
	}
}
