package audit

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"hitl"
	"hitl/audit/verify"
)

// skipsAndEntries are the skips beside their entries, and what there is one of alone.
var skipsAndEntries = `
	SELECT coalesce(v.review_id, l.context->>'review', ''), coalesce(v.round, (l.context->>'round')::int, 0),
	    coalesce(v.reviewer_team, ''), coalesce(v.reviewer_user, ''), coalesce(v.comment, ''),
	    v.review_id IS NULL, v.at, l.id, coalesce(l.context->>'comment_ref', ''), x.key,
	    ` + differing(
	[2]string{"at", "v.at = l.at"}, [2]string{"reason", "v.reason = l.context->>'reason'"}, [2]string{"item", "r.item_id = l.item_id"},
	[2]string{"label", "v.label = l.label"},
) + `
	FROM (SELECT *, concat_ws('/', nullif(reviewer_team, ''), reviewer_user) AS reviewer FROM hitl.verdicts WHERE kind = 'skipped') v
	FULL JOIN (SELECT * FROM hitl.log WHERE status = 'SKIPPED') l
	    ON l.context->>'review' = v.review_id AND (l.context->>'round')::int = v.round AND l.reviewer = v.reviewer
	LEFT JOIN hitl.reviews r ON r.id = v.review_id
	LEFT JOIN hitl.item_texts x ON x.item_id = r.item_id
	ORDER BY 1, 2, 4, 3, l.id`

// checkSkips compares every skip with its entry, in both directions, and every comment that is kept with the entry's commitment.
func checkSkips(ctx context.Context, tx pgx.Tx, r *verify.Report, away absence) error {
	rows, err := tx.Query(ctx, skipsAndEntries)
	if err != nil {
		return fmt.Errorf("read skips: %w", err)
	}
	var (
		v      hitl.Verdict
		gone   bool
		at     *time.Time
		entry  *int64
		ref    string
		secret []byte
		differ []string
	)
	dest := []any{&v.ReviewID, &v.Round, &v.Reviewer.Team, &v.Reviewer.User, &v.Comment, &gone, &at, &entry, &ref, &secret, &differ}
	_, err = pgx.ForEachRow(rows, dest, func() error {
		what := fmt.Sprintf("of review %s, round %d", v.ReviewID, v.Round)
		switch {
		case gone:
			r.Differs(*entry, fmt.Sprintf("the skip of entry %d, %s, is gone", *entry, what))
			return nil
		case entry == nil && away.holds(at):
			r.Uncompared++
			return nil
		case entry == nil:
			r.Differs(0, fmt.Sprintf("the skip %s by %s has no entry in the log", what, v.Reviewer))
			return nil
		}
		if !kept(v.Comment, ref, secret, func() []byte { return commitSkip(secret, v) }) {
			differ = append(differ, "comment")
		}
		if len(differ) > 0 {
			r.Differs(*entry, fmt.Sprintf("the skip %s differs from its entry %d in %s", what, *entry, strings.Join(differ, ", ")))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read skips: %w", err)
	}
	return nil
}
