package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"hitl"
	"hitl/audit/verify"
)

// checkRounds compares the round of every review with the entries that say which rounds were taken back: each before its own, once, and no other.
// A round that was taken back had a decision; that each of those is there, checkDecisions and checkGone tell.
func checkRounds(ctx context.Context, tx pgx.Tx, r *verify.Report, away absence) error {
	rows, err := tx.Query(ctx, `
		WITH taken AS (
		    SELECT item_id, context->>'review' AS review_id, (context->>'round')::int AS round, count(*) AS n, min(id) AS entry
		    FROM hitl.log WHERE status = $1 GROUP BY 1, 2, 3)
		SELECT coalesce(t.review_id, r.id), coalesce(t.round, want.round), coalesce(t.n, 0), coalesce(t.entry, 0), want.round IS NOT NULL,
		    EXISTS (SELECT FROM hitl.decisions d WHERE d.review_id = t.review_id AND d.round = t.round),
		    -- When a round is taken back the next is opened, and what is said of that is kept by its decision, or by the review while it is the last.
		    CASE WHEN r.round = want.round + 1 THEN r.opened_at
		    ELSE (SELECT d.opened_at FROM hitl.decisions d WHERE d.review_id = r.id AND d.round = want.round + 1) END
		FROM (hitl.reviews r CROSS JOIN LATERAL generate_series(1, r.round - 1) AS want (round))
		FULL JOIN taken t ON t.review_id = r.id AND t.item_id = r.item_id AND t.round = want.round
		ORDER BY 1, 2, 4`, hitl.Reopened)
	if err != nil {
		return fmt.Errorf("read rounds: %w", err)
	}
	var review string
	var round int
	var n, entry int64
	var over, decided bool
	var at *time.Time
	if _, err := pgx.ForEachRow(rows, []any{&review, &round, &n, &entry, &over, &decided, &at}, func() error {
		switch {
		case n == 0 && away.holds(at):
			r.Uncompared++
		case n == 0:
			r.Differs(0, fmt.Sprintf("round %d of review %s is over, and no entry says that it was taken back", round, review))
		case !over:
			r.Differs(entry, fmt.Sprintf("entry %d says that round %d of review %s was taken back, and it is not over", entry, round, review))
		case n > 1:
			r.Differs(entry, fmt.Sprintf("%d entries, the first is %d, say that round %d of review %s was taken back", n, entry, round, review))
		case !decided:
			r.Differs(entry, fmt.Sprintf("entry %d says that round %d of review %s was taken back, and it had no decision", entry, round, review))
		}
		return nil
	}); err != nil {
		return fmt.Errorf("read rounds: %w", err)
	}
	return nil
}
