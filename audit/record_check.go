package audit

import (
	"context"
	"crypto/hmac"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"hitl"
	"hitl/audit/verify"
)

// VerifyRecord compares what statistics, exports and reviewers are shown with the log: every item and its text, every decision of every round and
// its comment, which rounds were taken back, every verdict of a panel, every skip and their comments, every note, every answered proposal. What differs, is missing, or has no
// entry goes into the report of the log's verification as verify.Record: it says something only of a log that is whole, see VerifyLog. Not in the log,
// and so not compared, are an item's metadata, subject and probabilities other than the highest. Not compared either, and counted, is what was recorded in
// months whose entries are detached.
func (s *Store) VerifyRecord(ctx context.Context, r *verify.Report) error {
	err := s.snapshot(ctx, func(tx pgx.Tx) error {
		away, err := readAbsence(ctx, tx)
		if err != nil {
			return err
		}
		if r.Items, err = checkItems(ctx, tx, r, away); err != nil {
			return err
		}
		if r.Decisions, err = checkDecisions(ctx, tx, r, away); err != nil {
			return err
		}
		if err := checkVoices(ctx, tx, r, away); err != nil {
			return err
		}
		if err := checkSkips(ctx, tx, r, away); err != nil {
			return err
		}
		if err := checkRounds(ctx, tx, r, away); err != nil {
			return err
		}
		if err := checkNotes(ctx, tx, r, away); err != nil {
			return err
		}
		if err := checkProposals(ctx, tx, r, away); err != nil {
			return err
		}
		return checkGone(ctx, tx, r)
	})
	if err != nil {
		return fmt.Errorf("compare record with log: %w", err)
	}
	return nil
}

// differing makes an SQL array of the names for which a condition does not hold.
func differing(conditions ...[2]string) string {
	var parts []string
	for _, c := range conditions {
		parts = append(parts, fmt.Sprintf("CASE WHEN NOT coalesce(%s, false) THEN '%s' END", c[1], c[0]))
	}
	return "array_remove(ARRAY[" + strings.Join(parts, ", ") + "]::text[], NULL)"
}

// itemsAndEntries walks the log once, in the order of items, instead of looking each item up in every month of it.
var itemsAndEntries = `
	SELECT i.id, i.received_at, l.id, l.text_ref, x.text, x.key, i.erased_at,
	    i.id IN (SELECT e.item_id FROM hitl.log e WHERE e.status = 'ERASED'),
	    ` + differing(
	[2]string{"text_ref", "i.text_ref = l.text_ref"}, [2]string{"received_at", "i.received_at = l.at"}, [2]string{"status", "i.status = l.status"},
	[2]string{"ai_label", "i.ai_label = l.ai_label"}, [2]string{"confidence", "i.confidence = l.confidence"},
	[2]string{"model", "coalesce(m.version, '') = l.model"}, [2]string{"policy", "i.policy = l.policy"},
	[2]string{"source", "i.source = l.context->>'source'"}, [2]string{"threshold", "i.threshold = (l.context->>'threshold')::float8"},
	[2]string{"inclusion", "i.inclusion = (l.context->>'inclusion')::float8"},
	[2]string{"calibration", "i.calibration = coalesce(l.context->>'calibration', '')"},
	[2]string{"stage", "i.stage = coalesce(l.context->>'stage', '')"},
	[2]string{"triggers", "i.triggers = ARRAY(SELECT json_array_elements_text(coalesce(l.context->'triggers', '[]')))"},
) + `
	FROM hitl.items i
	LEFT JOIN hitl.item_texts x ON x.item_id = i.id
	LEFT JOIN hitl.model_versions m ON m.id = i.model_id
	LEFT JOIN (
	    SELECT DISTINCT ON (item_id) * FROM hitl.log WHERE status IN ('AI_ACCEPTED', 'HUMAN_REVIEW') ORDER BY item_id, id) l ON l.item_id = i.id
	ORDER BY i.id`

// checkItems compares every item with the entry that took it in, and every text that is kept with the entry's commitment.
func checkItems(ctx context.Context, tx pgx.Tx, r *verify.Report, away absence) (n int64, err error) {
	rows, err := tx.Query(ctx, itemsAndEntries)
	if err != nil {
		return 0, fmt.Errorf("read items: %w", err)
	}
	var (
		id               string
		received, erased *time.Time
		entry            *int64
		ref, secret      []byte
		text             *string
		entered          bool
		differ           []string
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &received, &entry, &ref, &text, &secret, &erased, &entered, &differ}, func() error {
		n++
		found := func(format string, args ...any) {
			r.Differs(orZero(entry), fmt.Sprintf(format, args...))
		}
		switch {
		case entry == nil && away.holds(received):
			r.Uncompared++
			n--
		case entry == nil:
			found("item %s has no entry in the log", id)
			return nil
		case len(differ) > 0:
			found("item %s differs from its entry %d in %s", id, *entry, strings.Join(differ, ", "))
		}
		switch {
		case text == nil && (erased == nil || !entered && !away.holds(erased)):
			found("the text of item %s is gone, and no entry says that it was erased", id)
		case text != nil && entered:
			found("the text of item %s is there, and an entry says that it was erased", id)
		case text != nil && entry != nil && !hmac.Equal(commit(secret, *text), ref):
			found("the text of item %s is not the one of its entry %d", id, *entry)
		}
		return nil
	})
	if err != nil {
		return n, fmt.Errorf("read items: %w", err)
	}
	return n, nil
}

// ended are the statuses of entries that end a review's round.
const ended = `('HUMAN_ACCEPTED', 'HUMAN_CORRECTED', 'EXPIRED', 'CANCELLED')`

var decisionsAndEntries = `
	SELECT d.review_id, d.round, d.at, d.comment, l.id, coalesce(l.context->>'comment_ref', ''), coalesce(l.context->>'comment', ''), x.key,
	    ` + differing(
	[2]string{"status", "d.status = l.status"}, [2]string{"label", "d.label = l.label"}, [2]string{"at", "d.at = l.at"},
	[2]string{"reviewer", "concat_ws('/', nullif(d.reviewer_team, ''), d.reviewer_user) = l.reviewer"},
	[2]string{"reason", "d.reason = coalesce(l.context->>'reason', '')"}, [2]string{"queue", "d.queue = l.context->>'queue'"},
	[2]string{"ai_label", "d.ai_label = l.ai_label"}, [2]string{"gold", "d.gold = coalesce((l.context->>'gold')::bool, false)"},
) + `
	FROM hitl.decisions d
	LEFT JOIN hitl.item_texts x ON x.item_id = d.item_id
	LEFT JOIN LATERAL (
	    SELECT * FROM hitl.log l WHERE l.item_id = d.item_id AND l.status IN ` + ended + `
	        AND l.context->>'review' = d.review_id AND (l.context->>'round')::int = d.round ORDER BY l.id LIMIT 1) l ON true
	ORDER BY d.review_id, d.round`

// checkDecisions compares every decision with its entry, and every comment that is kept with the entry's commitment.
func checkDecisions(ctx context.Context, tx pgx.Tx, r *verify.Report, away absence) (n int64, err error) {
	rows, err := tx.Query(ctx, decisionsAndEntries)
	if err != nil {
		return 0, fmt.Errorf("read decisions: %w", err)
	}
	var (
		d          hitl.Decision
		entry      *int64
		ref, words string // of the comment; entries from before there were commitments hold its words
		secret     []byte
		differ     []string
	)
	_, err = pgx.ForEachRow(rows, []any{&d.ReviewID, &d.Round, &d.At, &d.Comment, &entry, &ref, &words, &secret, &differ}, func() error {
		if entry == nil && away.holds(&d.At) {
			r.Uncompared++
			return nil
		}
		n++
		if entry == nil {
			r.Differs(0, fmt.Sprintf("the decision of review %s, round %d, has no entry in the log", d.ReviewID, d.Round))
			return nil
		}
		same := d.Comment == words
		switch {
		case len(secret) == 0: // erased, and the comment with it
			same = d.Comment == ""
		case ref != "":
			same = hmac.Equal([]byte(ref), []byte(commitmentPrefix+hex.EncodeToString(commitComment(secret, d))))
		}
		if !same {
			differ = append(differ, "comment")
		}
		if len(differ) > 0 {
			r.Differs(*entry, fmt.Sprintf("the decision of review %s, round %d, differs from its entry %d in %s",
				d.ReviewID, d.Round, *entry, strings.Join(differ, ", ")))
		}
		return nil
	})
	if err != nil {
		return n, fmt.Errorf("read decisions: %w", err)
	}
	return n, nil
}

// kept says whether words are those that an entry refers to: none where the entry refers to none, or the item's key was erased.
func kept(words, ref string, secret []byte, commitment func() []byte) bool {
	if len(secret) == 0 || ref == "" {
		return words == ""
	}
	return hmac.Equal([]byte(ref), []byte(commitmentPrefix+hex.EncodeToString(commitment())))
}

// checkGone looks for entries whose item or decision is gone.
func checkGone(ctx context.Context, tx pgx.Tx, r *verify.Report) error {
	rows, err := tx.Query(ctx, `
		SELECT l.id, l.item_id, i.id IS NULL FROM hitl.log l LEFT JOIN hitl.items i ON i.id = l.item_id
		WHERE l.item_id <> '' AND i.id IS NULL OR l.status IN `+ended+` AND NOT EXISTS (
		    SELECT FROM hitl.decisions d WHERE d.review_id = l.context->>'review' AND d.round = (l.context->>'round')::int AND d.item_id = l.item_id)
		ORDER BY l.id`)
	if err != nil {
		return fmt.Errorf("look for what is gone: %w", err)
	}
	var entry int64
	var item string
	var itemGone bool
	if _, err := pgx.ForEachRow(rows, []any{&entry, &item, &itemGone}, func() error {
		what := "decision"
		if itemGone {
			what = "item"
		}
		r.Differs(entry, fmt.Sprintf("the %s of entry %d, of item %s, is gone", what, entry, item))
		return nil
	}); err != nil {
		return fmt.Errorf("look for what is gone: %w", err)
	}
	return nil
}
