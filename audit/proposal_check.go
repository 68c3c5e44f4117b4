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

var proposalsAndEntries = `
	SELECT coalesce(p.id, l.context->>'proposal', ''), p.id IS NULL, p.decided_at, l.id,
	    ` + differing(
	[2]string{"kind", "p.kind = l.context->>'kind'"}, [2]string{"name", "p.name = l.context->>'name'"},
	[2]string{"body", "encode(sha256(convert_to(p.body::text, 'UTF8')), 'hex') = l.context->>'body_sha256'"},
	[2]string{"evidence", "encode(sha256(convert_to(p.evidence::text, 'UTF8')), 'hex') = l.context->>'evidence_sha256'"},
	[2]string{"state", "CASE p.state WHEN 'accepted' THEN 'PROPOSAL_ACCEPTED' WHEN 'declined' THEN 'PROPOSAL_DECLINED' END = l.status"},
	[2]string{"decided_at", "p.decided_at = l.at"}, [2]string{"decided_by", "p.decided_by = l.reviewer"},
	[2]string{"number", "(p.number IS NOT NULL) = (p.state = 'accepted')"},
) + `
	FROM (SELECT * FROM hitl.proposals WHERE state IN ('accepted', 'declined')) p
	FULL JOIN (SELECT * FROM hitl.log WHERE item_id = '' AND status <> $1) l ON l.context->>'proposal' = p.id
	ORDER BY 1, l.id`

// checkProposals compares every answered proposal with its entry, and the order in which those of a name came into force with the order of theirs.
func checkProposals(ctx context.Context, tx pgx.Tx, r *verify.Report, away absence) error {
	rows, err := tx.Query(ctx, proposalsAndEntries, hitl.Detached)
	if err != nil {
		return fmt.Errorf("read proposals: %w", err)
	}
	var id string
	var gone bool
	var at *time.Time
	var entry *int64
	var differ []string
	if _, err := pgx.ForEachRow(rows, []any{&id, &gone, &at, &entry, &differ}, func() error {
		switch {
		case entry == nil && away.holds(at):
			r.Uncompared++
		case entry == nil:
			r.Differs(0, fmt.Sprintf("proposal %s was answered, and has no entry in the log", id))
		case gone:
			r.Differs(*entry, fmt.Sprintf("the proposal %s of entry %d is gone", id, *entry))
		case len(differ) > 0:
			r.Differs(*entry, fmt.Sprintf("proposal %s differs from its entry %d in %s", id, *entry, strings.Join(differ, ", ")))
		}
		return nil
	}); err != nil {
		return fmt.Errorf("read proposals: %w", err)
	}
	rows, err = tx.Query(ctx, `
		SELECT id, decided_at, entry FROM (
		    SELECT p.id, p.number, p.decided_at, l.id AS entry, row_number() OVER (PARTITION BY p.kind, p.name ORDER BY l.id NULLS FIRST, p.number) AS n
		    FROM hitl.proposals p LEFT JOIN hitl.log l ON l.item_id = '' AND l.status = $1 AND l.context->>'proposal' = p.id WHERE p.state = 'accepted') t
		WHERE number IS DISTINCT FROM n ORDER BY id`, hitl.ChangeAccepted)
	if err != nil {
		return fmt.Errorf("read order of proposals: %w", err)
	}
	if _, err := pgx.ForEachRow(rows, []any{&id, &at, &entry}, func() error {
		if entry == nil && !away.holds(at) {
			return nil // which was found above
		}
		r.Differs(0, fmt.Sprintf("proposal %s did not come into force when its number says", id))
		return nil
	}); err != nil {
		return fmt.Errorf("read order of proposals: %w", err)
	}
	return nil
}
