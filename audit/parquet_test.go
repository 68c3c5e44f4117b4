package audit_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"hitl"
	"hitl/audit"
	"hitl/deploy/local/localtest"
)

// hostile are texts that formats tend to stumble over.
var hostile = []string{
	"plain", "=HYPERLINK(\"http://x\")", "line\r\nbreak, \"quoted\"\n", "\u00e4\U0001f600 \u202e-1", "\ufeff=1", "null", "{\"a\": [1]}", "\x01\x7f\\N",
	strings.Repeat("0123456789abcde\n", 4096), // 64 KB, the most that is taken
}

// exportStore holds an item for each hostile text, corrected by a person, and one of each kind that is exported otherwise or never.
func exportStore(t *testing.T) (s *audit.Store, erased, gold, failed, zero string) {
	t.Helper()
	s, owner := open(t)
	for i, text := range hostile {
		rec := unsure(fmt.Sprint("=", i), text)
		rec.Item.ReceivedAt = start.Add(time.Duration(i) * 1001 * time.Microsecond)
		mustAppend(t, s, rec, nil)
		d := corrected(rec, "U1")
		d.Comment = text
		if len(text) > 1000 {
			d.Comment = ""
		}
		d.At = start.Add(time.Hour + time.Microsecond)
		mustDecide(t, s, d, nil)
	}
	sampled, broken, gone, known, unweighed := unsure("sampled", "drawn"), unsure("broken", "no answer"), unsure("gone", "personal"), unsure("known", "known"), unsure("zero", "odd")
	sampled.Route.Triggers, sampled.Route.Inclusion = []hitl.Trigger{hitl.TriggerSample}, 0.02
	sampled.Prediction.Calibration = "sha256:cal"
	broken.Prediction = hitl.Prediction{Model: "m1"}
	broken.Route.Triggers = []hitl.Trigger{hitl.TriggerModelError}
	unweighed.Route.Inclusion = 0
	for i, rec := range []hitl.Record{sampled, broken, gone, known, unweighed} {
		rec.Item.ReceivedAt = start.Add(time.Second + time.Duration(i)*time.Second)
		mustAppend(t, s, rec, nil)
		if rec.Item.ID == known.Item.ID {
			if _, err := owner.Exec(t.Context(), `INSERT INTO hitl.gold (item_id, queue, label, added_by) VALUES ($1, 'default', 'POSITIVE', 'ana')`, rec.Item.ID); err != nil {
				t.Fatal(err)
			}
		}
		mustDecide(t, s, corrected(rec, "U1"), nil)
	}
	if n, err := s.Erase(t.Context(), []string{gone.Item.ID}, start.Add(time.Hour), "cli/ana", "asked to"); n != 1 || err != nil {
		t.Fatalf("erased %d, %v", n, err)
	}
	mustAppend(t, s, sure("at once", "fine"), nil)
	mustAppend(t, s, unsure("open", "so so"), nil)
	return s, gone.Item.ID, known.Item.ID, broken.Item.ID, unweighed.Item.ID
}

// evenID is some split: what the store is told stands in the rows.
func evenID(id string) bool { return id[len(id)-1]%2 == 0 }

func exportLabelled(t *testing.T, s *audit.Store, format audit.ExportFormat, want int) []byte {
	t.Helper()
	var out bytes.Buffer
	q := audit.LabelledExportQuery{Classifier: "mood", Format: format, HeldOut: evenID}
	if n, err := s.ExportLabelled(t.Context(), &out, q); err != nil || n != want {
		t.Fatalf("%s: %d rows, error %v", format, n, err)
	}
	return out.Bytes()
}

func lines[T any](t *testing.T, jsonl string) (out []T) {
	t.Helper()
	for line := range strings.Lines(jsonl) {
		var v T
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

func readParquet[T any](t *testing.T, data []byte) []T {
	t.Helper()
	rows, err := parquet.Read[T](bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// alike compares rows of two formats: a list without elements is one, whether it was written or left out.
func alike(t *testing.T, what string, got, want any) {
	t.Helper()
	none := cmp.FilterValues(func(a, b []string) bool { return len(a) == 0 && len(b) == 0 }, cmp.Ignore())
	notes := cmp.FilterValues(func(a, b []audit.ExportedNote) bool { return len(a) == 0 && len(b) == 0 }, cmp.Ignore())
	scores := cmp.FilterValues(func(a, b map[string]float64) bool { return len(a) == 0 && len(b) == 0 }, cmp.Ignore())
	if diff := cmp.Diff(want, got, none, notes, scores); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// All formats of an export hold the same rows, whatever was written in them, and the same columns.
func TestExportFormatsAgree(t *testing.T) {
	t.Parallel()
	s, erased, gold, failed, zero := exportStore(t)
	n := len(hostile)
	for kind, rows := range map[audit.ExportKind]int{audit.ExportCorrections: n + 4, audit.ExportDecisions: n + 4, audit.ExportItems: n + 6} {
		query := func(format audit.ExportFormat) string {
			return export(t, s, audit.ExportQuery{Kind: kind, Format: format}, rows)
		}
		once, again := query(audit.ExportParquet), query(audit.ExportParquet)
		alike(t, string(kind), readParquet[audit.Exported](t, []byte(once)), lines[audit.Exported](t, query(audit.ExportJSONL)))
		equal(t, string(kind)+" again, byte for byte", again == once, true)
	}

	fromLines := lines[audit.ExportedLabelled](t, string(exportLabelled(t, s, audit.ExportJSONL, n+2)))
	alike(t, "labelled", readParquet[audit.ExportedLabelled](t, exportLabelled(t, s, audit.ExportParquet, n+2)), fromLines)
	table, err := csv.NewReader(bytes.NewReader(exportLabelled(t, s, audit.ExportCSV, n+2))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range fromLines {
		row := map[string]string{}
		for c, name := range table[0] {
			row[name] = table[i+1][c]
		}
		if i < n {
			equal(t, "text", e.Text, hostile[i])
			equal(t, "cell", strings.ReplaceAll(strings.TrimPrefix(row["text"], "'"), "\r\n", "\n"), strings.ReplaceAll(e.Text, "\r\n", "\n"))
			if strings.HasPrefix(row["text"], "=") {
				t.Errorf("cell %q would be run", row["text"])
			}
		}
		equal(t, "weight", []any{e.Weight, row["weight"]}, []any{1 / e.Inclusion, fmt.Sprint(1 / e.Inclusion)})
		equal(t, "held out", []any{e.HeldOut, row["held_out"]}, []any{evenID(e.ItemID), fmt.Sprint(evenID(e.ItemID))})
		equal(t, "label", []any{e.Label, row["label"]}, []any{"POSITIVE", "POSITIVE"})
		if slices.Contains([]string{erased, gold, zero}, e.ItemID) {
			t.Errorf("%+v is exported", e)
		}
		if e.ItemID == failed {
			equal(t, "failed", []string{row["ai_label"], row["confidence"], row["scores"]}, []string{"", "", "{}"})
		}
	}
	drawn := fromLines[n]
	equal(t, "drawn", []any{drawn.Weight, drawn.Triggers, drawn.Calibration}, []any{50.0, []string{"sample"}, "sha256:cal"})

	columns := func(row any) (names []string) {
		for f := range reflect.TypeOf(row).Fields() {
			inJSON, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			inParquet, _, _ := strings.Cut(f.Tag.Get("parquet"), ",")
			equal(t, "name of a column", inParquet, inJSON)
			names = append(names, inJSON)
		}
		return names
	}
	equal(t, "columns of labelled", table[0], columns(audit.ExportedLabelled{}))
	header, _, _ := strings.Cut(export(t, s, audit.ExportQuery{Kind: audit.ExportItems, Format: audit.ExportCSV}, n+6), "\n")
	equal(t, "columns of items", strings.Split(header, ","), columns(audit.Exported{}))

	for name, q := range map[string]audit.LabelledExportQuery{
		"other classifier": {Classifier: "x"}, "later": {Since: start.Add(time.Hour)}, "earlier": {Until: start},
	} {
		q.Format, q.HeldOut = audit.ExportParquet, evenID
		var none bytes.Buffer
		rows, err := s.ExportLabelled(t.Context(), &none, q)
		equal(t, name, []any{rows, err, len(readParquet[audit.ExportedLabelled](t, none.Bytes()))}, []any{0, nil, 0})
	}
	q := audit.LabelledExportQuery{Format: "x", HeldOut: evenID}
	if _, err := s.ExportLabelled(t.Context(), &bytes.Buffer{}, q); !errors.As(err, new(*hitl.InvalidError)) {
		t.Errorf("unknown format: %v", err)
	}
	q.Format = audit.ExportParquet
	if _, err := s.ExportLabelled(t.Context(), broken{}, q); !errors.Is(err, errBroken) {
		t.Errorf("broken pipe: %v", err)
	}
}

// Apache Arrow, which is not made by those who made our library, reads the files as we mean them: types, nulls, and every text exactly.
func TestParquetReadByArrow(t *testing.T) {
	t.Parallel()
	s, _, _, failed, _ := exportStore(t)
	n := len(hostile)
	read := func(data []byte) (got struct {
		Schema   map[string]string
		Nullable []string
		Codecs   []string
		Groups   int
		Rows     []map[string]any
		Frame    struct {
			Map  map[string]float64
			Time string
			Rows int
		}
	},
	) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "export.parquet")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := localtest.Pyarrow(t.Context(), t, "testdata/parquet/read.py", file)
		var diagnosis bytes.Buffer
		cmd.Stderr = &diagnosis
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, diagnosis.String())
		}
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatal(err)
		}
		return got
	}
	const str, num, list, scores, at = "string", "double", "list<element: string not null>", "map<string, double>", "timestamp[us, tz=UTC]"

	labelled := read(exportLabelled(t, s, audit.ExportParquet, n+2))
	equal(t, "schema", labelled.Schema, map[string]string{
		"item_id": str, "source": str, "received_at": at, "text": str, "label": str, "ai_label": str, "confidence": num, "scores": scores, "model": str,
		"calibration": str, "triggers": list, "inclusion": num, "weight": num, "held_out": "bool", "decided_at": at, "queue": str, "policy": str,
	})
	equal(t, "nullable", labelled.Nullable, []string{"ai_label", "calibration", "confidence", "model"})
	equal(t, "codecs", labelled.Codecs, []string{"ZSTD"})
	equal(t, "frame", []any{labelled.Frame.Map, labelled.Frame.Time, labelled.Frame.Rows}, []any{map[string]float64{"NEGATIVE": 0.6, "POSITIVE": 0.4}, "UTC", n + 2})
	want := lines[map[string]any](t, string(exportLabelled(t, s, audit.ExportJSONL, n+2)))
	equal(t, "rows", len(labelled.Rows), len(want))
	for i, row := range labelled.Rows {
		nulls(row)
		moments(t, row, want[i])
		equal(t, fmt.Sprint("row ", i), row, want[i])
		if row["item_id"] == failed && (row["ai_label"] != nil || row["confidence"] != nil) {
			t.Errorf("a model that failed gave %v", row)
		}
	}

	items := read([]byte(export(t, s, audit.ExportQuery{Kind: audit.ExportItems, Format: audit.ExportParquet}, n+6)))
	equal(t, "schema of items", []string{items.Schema["probabilities"], items.Schema["notes"], items.Schema["round"], items.Schema["decided_at"]},
		[]string{scores, "list<element: struct<author: string not null, at: timestamp[us, tz=UTC] not null, text: string not null> not null>", "int64", at})
	wantItems := lines[map[string]any](t, export(t, s, audit.ExportQuery{Kind: audit.ExportItems, Format: audit.ExportJSONL}, n+6))
	for i, row := range items.Rows {
		nulls(row)
		moments(t, row, wantItems[i])
		for name, v := range wantItems[i] { // JSON lines say of some that they are empty, Parquet that there is none
			if v == "" || name == "confidence" && v == 0.0 {
				delete(wantItems[i], name)
			}
		}
		equal(t, fmt.Sprint("item ", i), row, wantItems[i])
	}
}

// nulls removes what is null, and the notes of an item without any, as JSON lines leave them out.
func nulls(row map[string]any) {
	for name, v := range row {
		if notes, ok := v.([]any); v == nil || name == "notes" && ok && len(notes) == 0 {
			delete(row, name)
		}
	}
}

// moments makes the times of two rows comparable.
func moments(t *testing.T, rows ...map[string]any) {
	t.Helper()
	for _, row := range rows {
		for name, v := range row {
			if !strings.HasSuffix(name, "_at") {
				continue
			}
			at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(v))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			row[name] = at.UTC().Format(time.RFC3339Nano)
		}
	}
}
