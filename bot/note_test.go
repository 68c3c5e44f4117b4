package bot

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"hitl"
	"hitl/bot/slacksim"
)

// hearing is for a world whose app hears what is said in channels. Slack sends again at once what was not taken.
func hearing(s *setup) {
	s.sim.Events, s.sim.EventRetries = slacksim.AllEvents(), []time.Duration{0, 0, 0}
}

// replies has somebody answer in a thread, and waits until the app was told.
func (w *world) replies(user string, m slacksim.Message, said string) (ts string) {
	w.t.Helper()
	ts, err := w.sim.Post(user, m.Channel, said, m.TS)
	if err != nil {
		w.t.Fatal(err)
	}
	w.heard()
	return ts
}

func (w *world) heard() {
	w.t.Helper()
	if err := w.sim.Settle(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.bot.Wait()
}

// What members of the workspace answer in the thread of a card joins the record, once; nothing else does.
func TestNotes(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		rec, m := w.posted()
		ts := w.replies(chloe, m, "5 < 6 & so on")
		at, _ := stampTime(ts)
		want := hitl.Note{
			Channel: channel, Thread: m.TS, TS: ts, Author: hitl.Reviewer{Team: "T0SLACKSIM", User: chloe}, At: at, Text: "5 < 6 & so on",
		}
		if got := w.store.notes(rec.Review.ID); len(got) != 1 || got[0] != want {
			t.Fatalf("notes: %+v, want %+v", got, want)
		}
		again := map[string]any{
			"type": "message", "channel": channel, "user": chloe, "text": "other words", "ts": ts, "thread_ts": m.TS, "event_ts": ts, "team": "T0SLACKSIM",
		}
		if out := w.sim.Event(t.Context(), "Ev1", again, slacksim.Retry{Num: 1, Reason: "http_timeout"}); out.Error != "" {
			t.Errorf("again: %+v", out)
		}

		if err := w.sim.EditMessage(chloe, channel, ts, "I take it back"); err != nil {
			t.Fatal(err)
		}
		elsewhere, err := w.sim.Post(ben, channel, "lunch?", "")
		if err != nil {
			t.Fatal(err)
		}
		w.replies(ben, slacksim.Message{Channel: channel, TS: elsewhere}, "yes")
		for _, event := range []map[string]any{
			{"user": "U0BEN", "bot_id": "B0OTHER"},
			{"user": "U0BEN", "subtype": "me_message"},
			{"user": "U0EVE"},
			{"user": "<!here>"},
			{"user": ""},
			{"user": "U0BEN", "ts": "soon"},
			{"user": "U0BEN", "text": " \u200b "},
			{"user": "U0BEN", "channel": "C0ESCALATE"},
		} {
			e := map[string]any{"type": "message", "channel": channel, "text": "hm", "ts": "1795639606.000001", "thread_ts": m.TS}
			maps.Copy(e, event)
			if out := w.sim.Event(t.Context(), "", e, slacksim.Retry{}); out.Error != "" {
				t.Errorf("%v: %+v", event, out)
			}
		}
		w.heard()
		if got := w.store.notes(rec.Review.ID); len(got) != 1 || got[0] != want {
			t.Errorf("notes: %+v, want the one", got)
		}

		w.replies(ana, m, "me too")
		if err := w.bot.RefreshCard(t.Context(), rec.Review.ID); err != nil {
			t.Fatal(err)
		}
		wants(t, "card", w.message(m.TS).AllText(), "2 notes in the thread")
		wants(t, "card's words", w.message(m.TS).Text, "2 notes in the thread.")
		w.store.mu.Lock()
		gone := w.store.records[rec.Review.ID]
		gone.Item.ErasedAt = testTime
		w.store.records[rec.Review.ID] = gone
		w.store.mu.Unlock()
		w.replies(ana, m, "too late")
		if n := len(w.store.notes(rec.Review.ID)); n != 2 {
			t.Errorf("%d notes, want none on an erased item", n-2)
		}
		w.clean()
	}, hearing)
}

// What could not be committed is not acknowledged, and Slack sends it again.
func TestNotesInTrouble(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"CardAt", "AddNote"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			overBoth(t, func(t *testing.T, w *world) {
				rec, m := w.posted()
				failures := 0
				w.store.failing(method, func(context.Context) error {
					if failures++; failures < 3 {
						return errors.New("connection reset")
					}
					return nil
				})
				w.replies(ana, m, "a word")
				if got := w.store.notes(rec.Review.ID); len(got) != 1 || failures < 3 {
					t.Errorf("after %d failures: %+v", failures, got)
				}
				if n := w.seen.count(&w.seen.clicked, "note failed"); n != 2 {
					t.Errorf("%d failures seen: %v", n, w.seen.clicked)
				}
			}, hearing, func(s *setup) { s.bot.AnswerWithin = 300 * time.Millisecond })
		})
	}
}

// An event that nobody signed says nothing.
func TestNotesAreSigned(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hearing)
	rec, m := w.posted()
	body := `{"type":"event_callback","team_id":"T0SLACKSIM","event":{"type":"message","channel":"C0REVIEW","user":"U0ANA","text":"x","ts":"1795639606.000001","thread_ts":"` + m.TS + `"}}`
	if code := w.serve(signedRequest(t, "/slack/events", "guessed", body, false)); code != http.StatusUnauthorized {
		t.Errorf("status %d", code)
	}
	if code := w.serve(signedRequest(t, "/slack/events", "old secret", body, false)); code != http.StatusOK || len(w.store.notes(rec.Review.ID)) != 1 {
		t.Errorf("status %d, notes %v", code, w.store.notes(rec.Review.ID))
	}
}

// Words of notes are redacted as all words are, and are gone where a text is veiled.
func TestNotesAreScreened(t *testing.T) {
	t.Parallel()
	note := hitl.Note{Author: hitl.Reviewer{Team: "T0SLACKSIM", User: ana}, At: testTime, Text: "Write to ana.ruiz@example.com <!here>"}
	entry := hitl.Entry{Status: hitl.Noted, At: testTime, Reviewer: note.Author.String()}
	rec := newRecord("rev_1", func(r *hitl.Record) { r.Notes = []hitl.Note{note} })
	s := hidden(rec)
	line := pastLine(inEnglish, entry, s.Notes, false)
	if !strings.Contains(line, "Write to") || strings.Contains(line, "ruiz") || strings.Contains(line, "<!here>") {
		t.Errorf("line: %s", line)
	}
	if s.hidden != 0 || rec.Notes[0].Text != note.Text {
		t.Errorf("hidden %d, record's note %q", s.hidden, rec.Notes[0].Text)
	}
	if v := veiled(rec, true); len(v.Notes) != 1 || v.Notes[0].Text != "" {
		t.Errorf("of a veiled text: %+v", v.Notes)
	}
	other := entry
	other.At = testTime.Add(time.Second)
	if line := pastLine(inEnglish, other, s.Notes, false); strings.Contains(line, "Write to") {
		t.Errorf("another note's line: %s", line)
	}
}

func TestStampTime(t *testing.T) {
	t.Parallel()
	if at, ok := stampTime("1795639606.000001"); !ok || at != time.Unix(1795639606, 1000).UTC() {
		t.Errorf("%v %v", at, ok)
	}
	for _, ts := range []string{"", "1", "1.2", "-1.000001", "1.-00001", "1795639606.0000010", "99999999999999.000001", "1.000001 ", "x.000001"} {
		if at, ok := stampTime(ts); ok {
			t.Errorf("%q is %v", ts, at)
		}
	}
}
