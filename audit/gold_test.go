package audit_test

import (
	"errors"
	"io"
	"testing"
	"time"

	"hitl"
	"hitl/audit"
)

// What was known counts nowhere but in the figures of whoever answered it.
func TestGoldCountsNowhere(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	known := func(label string) func(*hitl.Record, *hitl.Decision) {
		return func(rec *hitl.Record, _ *hitl.Decision) {
			rec.Gold = &hitl.Gold{Master: "gld_1", Label: label, ShownAs: "order-7"}
		}
	}
	right := decides(t, s, "U1", "default", 10, known("POSITIVE"))
	standing, err := s.Review(t.Context(), right.Review.ID)
	if err != nil {
		t.Fatal(err)
	}
	if standing.Gold == nil || standing.Gold.Label != "POSITIVE" || standing.Item.ExternalID != "order-7" {
		t.Errorf("%+v, %+v", standing.Gold, standing.Item)
	}
	if _, err := s.Find(t.Context(), right.Item.Source, "order-7"); !errors.Is(err, hitl.ErrNotFound) {
		t.Errorf("the id that people see is taken: %v", err)
	}
	wrong := decides(t, s, "U1", "default", 11, known("none of them"))
	me := unsure("me", "so so")
	mustAppend(t, s, me, nil)
	if got, err := s.Precedents(t.Context(), me.Review.ID, 5, 10); err != nil || len(got) > 0 {
		t.Errorf("precedents: %+v, %v", got, err)
	}
	q := hitl.StatsQuery{Since: start.Add(-time.Hour), Until: start.Add(time.Hour)}
	st, err := s.Stats(t.Context(), q)
	if err != nil || st.Decisions != 0 || len(st.ByReviewer)+len(st.ByLabel) > 0 || st.Items > 1 || st.Reviewed > 1 {
		t.Errorf("statistics: %+v, %v", st, err)
	}
	for kind, want := range map[audit.ExportKind]int{audit.ExportCorrections: 0, audit.ExportDecisions: 0, audit.ExportItems: 1} {
		if n, err := s.Export(t.Context(), io.Discard, audit.ExportQuery{Kind: kind, Format: audit.ExportJSONL}); err != nil || n != want {
			t.Errorf("export of %s: %d rows, %v", kind, n, err)
		}
	}
	figures, err := s.GoldFigures(t.Context(), "default", q.Since, q.Until)
	if err != nil {
		t.Fatal(err)
	}
	want := audit.GoldFigures{Reviewer: hitl.Reviewer{Team: "T1", User: "U1"}, Right: 1, Of: 2, Missed: []hitl.MissedGold{
		{ReviewID: wrong.Review.ID, Said: "POSITIVE", Known: "none of them"},
	}}
	equal(t, "figures", figures, []audit.GoldFigures{want})
}

// Every master has its turn before one comes again much.
func TestMasters(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	if _, err := s.DrawMaster(t.Context(), "default"); !errors.Is(err, hitl.ErrNotFound) {
		t.Errorf("of none: %v", err)
	}
	var masters []hitl.Master
	for range 6 {
		masters = append(masters, hitl.Master{Queue: "default", Label: "POSITIVE", Text: "so so", Metadata: map[string]any{"a": "b"}, AddedBy: "cli/ana"})
	}
	ids, err := s.AddMasters(t.Context(), masters)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for range 36 {
		m, err := s.DrawMaster(t.Context(), "default")
		if err != nil || m.Metadata["a"] != "b" {
			t.Fatalf("%+v, %v", m, err)
		}
		count[m.ID]++
	}
	for _, id := range ids {
		if count[id] < 2 {
			t.Errorf("drawn %v", count)
		}
		if err := s.RemoveMaster(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
	if left, err := s.Masters(t.Context(), ""); err != nil || len(left) > 0 {
		t.Errorf("%+v, %v", left, err)
	}
	if err := s.RemoveMaster(t.Context(), ids[0]); !errors.Is(err, hitl.ErrNotFound) {
		t.Errorf("twice: %v", err)
	}
}
