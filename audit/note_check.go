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

var notesAndEntries = `
	SELECT coalesce(n.channel, l.context->'where'->>'channel', ''), coalesce(n.ts, l.context->'where'->>'message', ''), n.text, n.at, l.id,
	    coalesce(l.context->>'note_ref', ''), x.key,
	    ` + differing(
	[2]string{"item", "n.item_id = l.item_id"}, [2]string{"review", "n.review_id = l.context->>'review'"},
	[2]string{"round", "n.round = (l.context->>'round')::int"}, [2]string{"at", "n.at = l.at"},
	[2]string{"author", "concat_ws('/', nullif(n.author_team, ''), n.author_user) = l.reviewer"},
) + `
	FROM hitl.notes n
	FULL JOIN (SELECT * FROM hitl.log WHERE status = $1) l ON l.context->'where'->>'channel' = n.channel AND l.context->'where'->>'message' = n.ts
	LEFT JOIN hitl.item_texts x ON x.item_id = n.item_id
	ORDER BY l.id, n.channel, n.ts`

// checkNotes compares every note with its entry, and every text that is kept with the entry's commitment.
func checkNotes(ctx context.Context, tx pgx.Tx, r *verify.Report, away absence) error {
	rows, err := tx.Query(ctx, notesAndEntries, hitl.Noted)
	if err != nil {
		return fmt.Errorf("read notes: %w", err)
	}
	var (
		n      hitl.Note
		text   *string
		at     *time.Time
		entry  *int64
		ref    string
		secret []byte
		differ []string
	)
	if _, err := pgx.ForEachRow(rows, []any{&n.Channel, &n.TS, &text, &at, &entry, &ref, &secret, &differ}, func() error {
		switch {
		case entry == nil && away.holds(at):
			r.Uncompared++
			return nil
		case entry == nil:
			r.Differs(0, fmt.Sprintf("the note %s in %s has no entry in the log", n.TS, n.Channel))
			return nil
		case text == nil:
			r.Differs(*entry, fmt.Sprintf("the note of entry %d is gone", *entry))
			return nil
		}
		n.Text = *text
		same := hmac.Equal([]byte(ref), []byte(commitmentPrefix+hex.EncodeToString(commitNote(secret, n))))
		if len(secret) == 0 { // erased, and the note with it
			same = n.Text == ""
		}
		if !same {
			differ = append(differ, "text")
		}
		if len(differ) > 0 {
			r.Differs(*entry, fmt.Sprintf("the note %s in %s differs from its entry %d in %s", n.TS, n.Channel, *entry, strings.Join(differ, ", ")))
		}
		return nil
	}); err != nil {
		return fmt.Errorf("read notes: %w", err)
	}
	return nil
}
