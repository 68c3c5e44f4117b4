package audit

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"

	"hitl"
)

// ExportKind is what an export holds.
type ExportKind string

// The kinds of export.
const (
	ExportCorrections ExportKind = "corrections" // decisions that stand and gave another label than the model's, with the text
	ExportDecisions   ExportKind = "decisions"   // every decision that stands, with the text
	ExportItems       ExportKind = "items"       // every item, with its text and, if there is one, the decision of its latest round
)

// ExportFormat is how an export is written.
type ExportFormat string

// The formats of export.
const (
	// ExportCSV has a header line and RFC 4180 quoting. A text cell that a spreadsheet would run as a formula has an apostrophe put
	// before it; numbers and times stay as they are.
	ExportCSV ExportFormat = "csv"
	// ExportJSONL has one JSON object per line, every text exactly as stored.
	ExportJSONL ExportFormat = "jsonl"
	// ExportParquet is Apache Parquet with zstd, every text exactly as stored; what is empty because there is none is null.
	ExportParquet ExportFormat = "parquet"
)

// ExportQuery says what to export: what was decided (items: received) in [Since, Until). A zero time is no bound.
type ExportQuery struct {
	Kind   ExportKind
	Format ExportFormat
	Since  time.Time
	Until  time.Time
}

// Exported is one row of an export. An erased item's text and comment are empty.
type Exported struct {
	ItemID        string             `json:"item_id" parquet:"item_id"`
	ExternalID    string             `json:"external_id" parquet:"external_id"`
	Source        string             `json:"source" parquet:"source,dict"`
	Text          string             `json:"text" parquet:"text,optional"`
	Status        hitl.Status        `json:"status" parquet:"status,dict"`
	AILabel       string             `json:"ai_label" parquet:"ai_label,optional,dict"`
	Confidence    float64            `json:"confidence" parquet:"confidence,optional"`
	Probabilities map[string]float64 `json:"probabilities" parquet:"probabilities" parquet-key:",dict"`
	Label         string             `json:"label" parquet:"label,optional,dict"` // the right one, as far as known
	Reviewer      string             `json:"reviewer,omitempty" parquet:"reviewer,optional,dict"`
	Reason        string             `json:"reason,omitempty" parquet:"reason,optional,dict"`
	Comment       string             `json:"comment,omitempty" parquet:"comment,optional"`
	Queue         string             `json:"queue,omitempty" parquet:"queue,optional,dict"`
	Round         int                `json:"round,omitempty" parquet:"round,optional"`
	Triggers      []string           `json:"triggers" parquet:"triggers,list" parquet-element:",dict"`
	ReceivedAt    time.Time          `json:"received_at" parquet:"received_at,timestamp(microsecond:utc)"`
	OpenedAt      *time.Time         `json:"opened_at,omitempty" parquet:"opened_at,optional,timestamp(microsecond:utc)"`
	DecidedAt     *time.Time         `json:"decided_at,omitempty" parquet:"decided_at,optional,timestamp(microsecond:utc)"`
	Model         string             `json:"model" parquet:"model,optional,dict"`
	Policy        string             `json:"policy" parquet:"policy,dict"`
	Inclusion     float64            `json:"inclusion" parquet:"inclusion"` // probability with which an item like this is reviewed; weigh by its inverse
	ErasedAt      *time.Time         `json:"erased_at,omitempty" parquet:"erased_at,optional,timestamp(microsecond:utc)"`
	Notes         []ExportedNote     `json:"notes,omitempty" parquet:"notes,list"`
}

// ExportedNote is a note on the review, as written in the thread of its card.
type ExportedNote struct {
	Author string    `json:"author" parquet:"author"`
	At     time.Time `json:"at" parquet:"at,timestamp(microsecond:utc)"`
	Text   string    `json:"text" parquet:"text"`
}

const exportColumns = `
	SELECT i.id, i.external_id, i.source, coalesce(x.text, ''), coalesce(d.status, i.status), i.ai_label, i.confidence, i.scores,
	    CASE WHEN d.status IS NOT NULL THEN d.label WHEN i.status = 'AI_ACCEPTED' THEN i.ai_label ELSE '' END,
	    coalesce(d.reviewer_team, ''), coalesce(d.reviewer_user, ''), coalesce(d.reason, ''), coalesce(d.comment, ''), i.queue,
	    coalesce(d.round, 0), i.triggers, i.received_at, %s, d.at, coalesce(m.version, ''), i.policy, i.inclusion, i.erased_at,
	    ` + notesSelect + `
`

const exportJoins = `
	LEFT JOIN hitl.item_texts x ON x.item_id = i.id
	LEFT JOIN hitl.model_versions m ON m.id = i.model_id
`

// exportSQL returns the query of a kind; its parameters are the bounds, NULL for none.
func exportSQL(kind ExportKind) (string, error) {
	fromDecisions := fmt.Sprintf(exportColumns, "d.opened_at") + `FROM hitl.decisions d JOIN hitl.items i ON i.id = d.item_id
		JOIN hitl.reviews r ON r.id = d.review_id AND r.round = d.round ` + exportJoins +
		`WHERE ($1::timestamptz IS NULL OR d.at >= $1) AND ($2::timestamptz IS NULL OR d.at < $2) AND NOT d.gold `
	const order = ` ORDER BY d.at, d.review_id, d.round`
	switch kind {
	case ExportCorrections:
		return fromDecisions + `AND d.status = 'HUMAN_CORRECTED'` + order, nil
	case ExportDecisions:
		return fromDecisions + order, nil
	case ExportItems:
		return fmt.Sprintf(exportColumns, "r.opened_at") + `FROM hitl.items i ` + exportJoins + `
			LEFT JOIN hitl.reviews r ON r.item_id = i.id
			LEFT JOIN hitl.decisions d ON d.review_id = r.id AND d.round = r.round
			WHERE ($1::timestamptz IS NULL OR i.received_at >= $1) AND ($2::timestamptz IS NULL OR i.received_at < $2)
			    AND NOT EXISTS (SELECT FROM hitl.gold g WHERE g.item_id = i.id)
			ORDER BY i.received_at, i.id`, nil
	}
	return "", &hitl.InvalidError{Field: "kind", Reason: fmt.Sprintf("%q is none of corrections, decisions, items", kind)}
}

// Export writes what a query finds, row by row as Postgres gives it, from one snapshot, and returns how many rows it wrote. It holds a
// connection meanwhile, for as long as w takes. Errors: *hitl.InvalidError for an unknown kind or format; after any other the output is
// incomplete.
func (s *Store) Export(ctx context.Context, w io.Writer, q ExportQuery) (rows int, err error) {
	sql, err := exportSQL(q.Kind)
	if err != nil {
		return 0, err
	}
	write, flush, err := rowWriter[Exported](w, q.Format)
	if err != nil {
		return 0, err
	}
	err = pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = 0`); err != nil {
			return fmt.Errorf("lift time limit: %w", err)
		}
		found, err := tx.Query(ctx, sql, optionalTime(q.Since), optionalTime(q.Until))
		if err != nil {
			return fmt.Errorf("query rows: %w", err)
		}
		defer found.Close()
		for found.Next() {
			row, err := scanExported(found)
			if err != nil {
				return err
			}
			if err := write(row); err != nil {
				return fmt.Errorf("write row: %w", err)
			}
			rows++
		}
		return found.Err()
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return rows, fmt.Errorf("export %s: %w", q.Kind, err)
	}
	return rows, nil
}

func scanExported(row pgx.Rows) (Exported, error) {
	var e Exported
	var scores, notes []byte
	var reviewer hitl.Reviewer
	err := row.Scan(&e.ItemID, &e.ExternalID, &e.Source, &e.Text, &e.Status, &e.AILabel, &e.Confidence, &scores, &e.Label,
		&reviewer.Team, &reviewer.User, &e.Reason, &e.Comment, &e.Queue, &e.Round, &e.Triggers, &e.ReceivedAt, &e.OpenedAt, &e.DecidedAt,
		&e.Model, &e.Policy, &e.Inclusion, &e.ErasedAt, &notes)
	if err != nil {
		return e, fmt.Errorf("read row: %w", err)
	}
	var list []hitl.Score
	if err := json.Unmarshal(scores, &list); err != nil {
		return e, fmt.Errorf("read scores of %s: %w", e.ItemID, err)
	}
	e.Probabilities = make(map[string]float64, len(list))
	for _, s := range list {
		e.Probabilities[s.Label] = s.Probability
	}
	written, err := readNotes(notes)
	if err != nil {
		return e, fmt.Errorf("read notes of %s: %w", e.ItemID, err)
	}
	for _, n := range written {
		e.Notes = append(e.Notes, ExportedNote{n.Author.String(), n.At, n.Text})
	}
	e.Reviewer, e.ReceivedAt = reviewer.String(), e.ReceivedAt.UTC()
	for _, t := range []*time.Time{e.OpenedAt, e.DecidedAt, e.ErasedAt} {
		if t != nil {
			*t = t.UTC()
		}
	}
	return e, nil
}

// exportedRow is a row of any export. Tags say how it is written in JSON and Parquet; all formats have the same columns.
type exportedRow interface {
	columns() []string        // of CSV
	cells() ([]string, error) // of CSV, in the order of columns
	size() int                // about how many bytes it has
}

// rowOverhead is about how many bytes a row has beside what people wrote.
const rowOverhead = 256

func (e Exported) size() int {
	n := len(e.Text) + len(e.Comment) + rowOverhead
	for _, note := range e.Notes {
		n += len(note.Text)
	}
	return n
}

// rowWriter returns what writes a row in a format, and what ends the output.
func rowWriter[T exportedRow](w io.Writer, format ExportFormat) (write func(T) error, flush func() error, err error) {
	switch format {
	case ExportCSV:
		return newCSV[T](w)
	case ExportJSONL:
		out := bufio.NewWriter(w)
		enc := json.NewEncoder(out)
		enc.SetEscapeHTML(false)
		return func(row T) error { return enc.Encode(row) }, out.Flush, nil
	case ExportParquet:
		write, flush = newParquet[T](w)
		return write, flush, nil
	}
	return nil, nil, &hitl.InvalidError{Field: "format", Reason: fmt.Sprintf("%q is none of csv, jsonl, parquet", format)}
}
