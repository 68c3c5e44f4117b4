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

// voicesAndEntries pairs the verdicts of panels with their entries, both ways: each side may lack the other.
var voicesAndEntries = `
	SELECT coalesce(v.review_id, l.context->>'review'), coalesce(v.round::text, l.context->>'round'), coalesce(v.by, l.reviewer),
	    coalesce(v.review_id, ''), coalesce(v.round, 0), coalesce(v.reviewer_team, ''), coalesce(v.reviewer_user, ''), coalesce(v.comment, ''),
	    v.at, l.id, coalesce(l.context->>'comment_ref', ''), x.key, ` + differing(
	[2]string{"label", "v.label = l.label"}, [2]string{"at", "v.at = l.at"}, [2]string{"reason", "v.reason = coalesce(l.context->>'reason', '')"},
	[2]string{"kind", "v.kind = CASE WHEN l.label = l.ai_label THEN 'accepted' ELSE 'corrected' END"},
) + `
	FROM (SELECT v.*, r.item_id, concat_ws('/', nullif(v.reviewer_team, ''), v.reviewer_user) AS by
	    FROM hitl.verdicts v JOIN hitl.reviews r ON r.id = v.review_id WHERE v.kind <> 'skipped') v
	FULL JOIN (SELECT * FROM hitl.log WHERE status = 'VERDICT') l
	    ON l.item_id = v.item_id AND l.context->>'review' = v.review_id AND l.context->>'round' = v.round::text AND l.reviewer = v.by
	LEFT JOIN hitl.item_texts x ON x.item_id = v.item_id
	ORDER BY l.id, v.review_id, v.round, v.by`

// checkVoices compares every verdict of a panel with its entry, and every comment that is kept with the entry's commitment.
func checkVoices(ctx context.Context, tx pgx.Tx, r *verify.Report, away absence) error {
	rows, err := tx.Query(ctx, voicesAndEntries)
	if err != nil {
		return fmt.Errorf("read verdicts: %w", err)
	}
	var (
		review, round, by string // as either side names them
		v                 hitl.Vote
		at                *time.Time
		entry             *int64
		ref               string
		secret            []byte
		differ            []string
	)
	_, err = pgx.ForEachRow(rows, []any{
		&review, &round, &by, &v.ReviewID, &v.Round, &v.Reviewer.Team, &v.Reviewer.User, &v.Comment, &at, &entry, &ref, &secret, &differ,
	}, func() error {
		what := fmt.Sprintf("the verdict of %s on review %s, round %s,", by, review, round)
		switch {
		case entry == nil && away.holds(at):
			r.Uncompared++
			return nil
		case entry == nil:
			r.Differs(0, what+" has no entry in the log")
			return nil
		case v.ReviewID == "":
			r.Differs(*entry, fmt.Sprintf("%s is gone; entry %d tells of it", what, *entry))
			return nil
		}
		if !kept(v.Comment, ref, secret, func() []byte { return commitVoice(secret, v.ReviewID, v.Round, v.Reviewer, v.Comment) }) {
			differ = append(differ, "comment")
		}
		if len(differ) > 0 {
			r.Differs(*entry, fmt.Sprintf("%s differs from its entry %d in %s", what, *entry, strings.Join(differ, ", ")))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read verdicts: %w", err)
	}
	return nil
}
