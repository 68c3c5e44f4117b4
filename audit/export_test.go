package audit_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"hitl"
	"hitl/audit"
)

func export(t *testing.T, s *audit.Store, q audit.ExportQuery, want int) string {
	t.Helper()
	var out bytes.Buffer
	if n, err := s.Export(t.Context(), &out, q); err != nil || n != want {
		t.Fatalf("%d rows, error %v", n, err)
	}
	return out.String()
}

func TestExport(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	texts := []string{
		"plain", "=HYPERLINK(\"http://x\")", "  +1", "\t@SUM(A1)", "line\r\nbreak, \"quoted\"\n", "\u00e4\U0001f600 \u202e-1", "-5", "a=b", "", "\ufeff=1",
		"\uff1d1", "tab\tinside",
	}
	for i, text := range texts {
		rec := unsure(fmt.Sprint("=", i), text)
		mustAppend(t, s, rec, nil)
		d := corrected(rec, "U1")
		d.Reason, d.Comment = "@reason", "+comment"
		mustDecide(t, s, d, nil)
	}
	accepted := unsure("accepted", "so so")
	mustAppend(t, s, accepted, nil)
	d := corrected(accepted, "U2")
	d.Status, d.Label, d.At = hitl.HumanAccepted, "NEGATIVE", start.Add(time.Hour)
	mustDecide(t, s, d, nil)
	mustAppend(t, s, sure("sure", "fine"), nil)
	mustAppend(t, s, unsure("open", "so so"), nil)

	jsonl := strings.Split(strings.TrimSpace(export(t, s, audit.ExportQuery{Kind: audit.ExportCorrections, Format: audit.ExportJSONL}, len(texts))), "\n")
	table, err := csv.NewReader(strings.NewReader(export(t, s, audit.ExportQuery{Kind: audit.ExportCorrections, Format: audit.ExportCSV}, len(texts)))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := map[string]int{}
	for i, name := range table[0] {
		column[name] = i
	}
	exact := map[string]bool{}
	for i, line := range jsonl {
		var e audit.Exported
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		exact[e.Text] = true
		if e.AILabel != "NEGATIVE" || e.Label != "POSITIVE" || e.Confidence != 0.6 || e.Probabilities["POSITIVE"] != 0.4 || e.Reviewer != "T1/U1" ||
			e.Model != "m1" || e.Policy != "p1" || e.Inclusion != 1 || !e.DecidedAt.Equal(start.Add(90*time.Second)) || !e.OpenedAt.Equal(start) {
			t.Errorf("%+v", e)
		}
		row := table[i+1]
		equal(t, "confidence", row[column["confidence"]], "0.6")
		equal(t, "probabilities", row[column["probabilities"]], `{"NEGATIVE":0.6,"POSITIVE":0.4}`)
		equal(t, "comment", row[column["comment"]], "'+comment")
		equal(t, "external id", row[column["external_id"]], "'"+e.ExternalID)
		equal(t, "decided", row[column["decided_at"]], "2026-03-01T12:01:30Z")
		cell := row[column["text"]]
		if strings.ReplaceAll(strings.TrimPrefix(cell, "'"), "\r\n", "\n") != strings.ReplaceAll(e.Text, "\r\n", "\n") {
			t.Errorf("cell %q of text %q", cell, e.Text)
		}
		for _, c := range row {
			if c != "" && strings.ContainsAny(strings.TrimSpace(c)[:1], "=+-@") {
				t.Errorf("cell %q would be run", c)
			}
		}
	}
	for _, text := range texts {
		if !exact[text] {
			t.Errorf("text %q was exported otherwise", text)
		}
	}
	for kind, rows := range map[audit.ExportKind]int{audit.ExportDecisions: len(texts) + 1, audit.ExportItems: len(texts) + 3} {
		export(t, s, audit.ExportQuery{Kind: kind, Format: audit.ExportCSV}, rows)
		export(t, s, audit.ExportQuery{Kind: kind, Format: audit.ExportJSONL}, rows)
	}
	late := start.Add(time.Hour)
	export(t, s, audit.ExportQuery{Kind: audit.ExportDecisions, Format: audit.ExportCSV, Since: late}, 1)
	export(t, s, audit.ExportQuery{Kind: audit.ExportDecisions, Format: audit.ExportCSV, Until: late}, len(texts))
	export(t, s, audit.ExportQuery{Kind: audit.ExportItems, Format: audit.ExportCSV, Since: late}, 0)

	if _, err := owner.Exec(t.Context(), `DELETE FROM hitl.item_texts`); err != nil { // as erasure does
		t.Fatal(err)
	}
	if strings.Contains(export(t, s, audit.ExportQuery{Kind: audit.ExportItems, Format: audit.ExportJSONL}, len(texts)+3), "plain") {
		t.Error("an erased text was exported")
	}
	for _, q := range []audit.ExportQuery{{Kind: "x", Format: audit.ExportCSV}, {Kind: audit.ExportItems, Format: "x"}} {
		var invalid *hitl.InvalidError
		if _, err := s.Export(t.Context(), &bytes.Buffer{}, q); !errors.As(err, &invalid) {
			t.Errorf("%+v: %v", q, err)
		}
	}
	if _, err := s.Export(t.Context(), broken{}, audit.ExportQuery{Kind: audit.ExportItems, Format: audit.ExportCSV}); !errors.Is(err, errBroken) {
		t.Errorf("broken pipe: %v", err)
	}
}

var errBroken = errors.New("broken pipe")

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }
