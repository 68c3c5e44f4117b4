package audit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hitl"
	"hitl/audit"
)

// carded appends a record whose card stands at a place.
func carded(t *testing.T, s *audit.Store, rec hitl.Record, channel, ts string) {
	t.Helper()
	mustAppend(t, s, rec, nil)
	card, err := s.BeginCard(t.Context(), rec.Review.ID, "T1", channel, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CardPosted(t.Context(), card.ID, channel, ts); err != nil {
		t.Fatal(err)
	}
}

func reply(thread, ts, text string) hitl.Note {
	return hitl.Note{
		Channel: "C1", Thread: thread, TS: ts, Author: hitl.Reviewer{Team: "T1", User: "U1"}, At: start.Add(time.Minute), Text: text,
	}
}

func TestAddNote(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	rec := unsure("a", "so so")
	carded(t, s, rec, "C1", "1.2")
	version := scalar[int](t, owner, `SELECT version FROM hitl.reviews`)
	n := reply("1.2", "3.4", "=1+1 looks like irony\nto me")
	var wg sync.WaitGroup
	var added atomic.Int64
	for range 8 { // Slack sends it again
		wg.Go(func() {
			ok, err := s.AddNote(t.Context(), n)
			if err != nil {
				t.Error(err)
			}
			if ok {
				added.Add(1)
			}
		})
	}
	wg.Wait()
	equal(t, "added", added.Load(), int64(1))
	later := reply("1.2", "5.6", "agreed")
	later.At = start.Add(2 * time.Minute)
	if ok, err := s.AddNote(t.Context(), later); !ok || err != nil {
		t.Fatalf("added %v, %v", ok, err)
	}
	got, err := s.Item(t.Context(), rec.Item.ID)
	if err != nil {
		t.Fatal(err)
	}
	who := hitl.Reviewer{Team: "T1", User: "U1"}
	equal(t, "notes", got.Notes, []hitl.Note{{Author: who, At: n.At, Text: n.Text}, {Author: who, At: later.At, Text: "agreed"}})
	equal(t, "version", scalar[int](t, owner, `SELECT version FROM hitl.reviews`), version+2)
	equal(t, "refreshes", scalar[int](t, owner, `SELECT count(*) FROM hitl_jobs.river_job WHERE kind = 'card_refresh'`), 2)
	entries, err := s.Log(t.Context(), rec.Item.ID)
	if err != nil || len(entries) != 3 || entries[1].Status != hitl.Noted || entries[1].Reviewer != "T1/U1" {
		t.Errorf("entries %+v, %v", entries, err)
	}
	raw := scalar[string](t, owner, `SELECT string_agg(context::text, '') FROM hitl.log`)
	if strings.Contains(raw, "irony") || !strings.Contains(raw, "note_ref") {
		t.Errorf("log holds %s", raw)
	}
	equal(t, "problems", recordProblems(t, s), []string(nil))

	if ok, err := s.AddNote(t.Context(), reply("9.9", "7.8", "elsewhere")); ok || !errors.Is(err, hitl.ErrNotFound) {
		t.Errorf("another thread: %v, %v", ok, err)
	}
	if _, err := s.CardAt(t.Context(), "C1", ""); !errors.Is(err, hitl.ErrNotFound) {
		t.Errorf("no thread: %v", err)
	}

	mustDecide(t, s, corrected(rec, "U1"), nil)
	var csv, lines bytes.Buffer
	for format, w := range map[audit.ExportFormat]*bytes.Buffer{audit.ExportCSV: &csv, audit.ExportJSONL: &lines} {
		if rows, err := s.Export(t.Context(), w, audit.ExportQuery{Kind: audit.ExportDecisions, Format: format}); rows != 1 || err != nil {
			t.Fatalf("%d rows, %v", rows, err)
		}
	}
	if want := ",\"T1/U1 2026-03-01T12:01:00Z: =1+1 looks like irony\nto me\nT1/U1 2026-03-01T12:02:00Z: agreed\"\n"; !strings.HasSuffix(csv.String(), want) {
		t.Errorf("csv ends %q", csv.String())
	}
	var row audit.Exported
	if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
		t.Fatal(err)
	}
	equal(t, "exported", row.Notes, []audit.ExportedNote{{"T1/U1", n.At, n.Text}, {"T1/U1", later.At, "agreed"}})
}

// Erasure takes the words of notes, and no note comes after it.
func TestNotesErased(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	rec := unsure("a", "so so")
	carded(t, s, rec, "C1", "1.2")
	if ok, err := s.AddNote(t.Context(), reply("1.2", "3.4", "my address is …")); !ok || err != nil {
		t.Fatalf("added %v, %v", ok, err)
	}
	mustDecide(t, s, corrected(rec, "U1"), nil)
	var wg sync.WaitGroup
	wg.Go(func() {
		if n, err := s.Erase(t.Context(), []string{rec.Item.ID}, start.Add(time.Hour), "cli/ana", "asked"); n != 1 || err != nil {
			t.Errorf("erased %d, %v", n, err)
		}
	})
	wg.Go(func() {
		if _, err := s.AddNote(t.Context(), reply("1.2", "5.6", "and my name …")); err != nil && !errors.Is(err, hitl.ErrNotFound) {
			t.Error(err)
		}
	})
	wg.Wait()
	if ok, err := s.AddNote(t.Context(), reply("1.2", "7.8", "late")); ok || !errors.Is(err, hitl.ErrNotFound) {
		t.Errorf("after the erasure: %v, %v", ok, err)
	}
	equal(t, "words left", scalar[int](t, owner, `SELECT count(*) FROM hitl.notes WHERE text <> ''`), 0)
	got, err := s.Item(t.Context(), rec.Item.ID)
	equal(t, "notes", []any{len(got.Notes), err}, []any{0, error(nil)})
	equal(t, "problems", recordProblems(t, s), []string(nil))
}

func TestVerifyNotes(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	rec := unsure("a", "so so")
	carded(t, s, rec, "C1", "1.2")
	if ok, err := s.AddNote(t.Context(), reply("1.2", "3.4", "hm")); !ok || err != nil {
		t.Fatalf("added %v, %v", ok, err)
	}
	if _, err := owner.Exec(t.Context(), `CREATE TABLE kept_notes AS TABLE hitl.notes`); err != nil {
		t.Fatal(err)
	}
	for sql, want := range map[string]string{
		`UPDATE hitl.notes SET text = 'ha'`:       "in text",
		`UPDATE hitl.notes SET text = ''`:         "in text",
		`UPDATE hitl.notes SET author_user = 'x'`: "in author",
		`UPDATE hitl.notes SET at = now()`:        "in at",
		`UPDATE hitl.notes SET round = 2`:         "in round",
		`UPDATE hitl.notes SET item_id = 'x'`:     "in item",
		`UPDATE hitl.notes SET ts = '9.9'`:        "has no entry",
		`DELETE FROM hitl.notes`:                  "is gone",
	} {
		if _, err := owner.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
		if found := strings.Join(recordProblems(t, s), "\n"); !strings.Contains(found, want) {
			t.Errorf("%s: found %q, want %q", sql, found, want)
		}
		if _, err := owner.Exec(t.Context(), `DELETE FROM hitl.notes; INSERT INTO hitl.notes SELECT * FROM kept_notes`); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "problems after all was put back", recordProblems(t, s), []string(nil))
}
