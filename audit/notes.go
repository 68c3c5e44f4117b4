package audit

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"hitl"
)

// notesSelect is the expression that gives the notes on hitl.reviews AS r as JSON, the oldest first. An erased one has no words and is none.
const notesSelect = `coalesce((
        SELECT json_agg(json_build_object('author', json_build_object('team', n.author_team, 'user', n.author_user), 'at', n.at, 'text', n.text)
            ORDER BY n.at, n.ts)
        FROM hitl.notes n WHERE n.review_id = r.id AND n.text <> ''), '[]')`

// readNotes reads what notesSelect gives.
func readNotes(data []byte) ([]hitl.Note, error) {
	var notes []hitl.Note
	if err := json.Unmarshal(data, &notes); err != nil {
		return nil, err
	}
	if len(notes) == 0 {
		return nil, nil
	}
	for i := range notes {
		notes[i].At = notes[i].At.UTC()
	}
	return notes, nil
}

// commitNote returns the log's reference to a note, under the key of its item. No text or comment has the same one, see commitComment.
func commitNote(secret []byte, n hitl.Note) []byte {
	return commit(secret, fmt.Sprintf("note\x00%s\x00%s\x00%s", n.Channel, n.TS, n.Text))
}

// CardAt returns the review whose card stands at a place, or hitl.ErrNotFound.
func (s *Store) CardAt(ctx context.Context, channel, ts string) (string, error) {
	var id string
	err := s.pool.QueryRow(ctx, `SELECT review_id FROM hitl.cards WHERE channel = $1 AND ts = $2 AND ts <> '' LIMIT 1`, channel, ts).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", hitl.ErrNotFound
	}
	if err != nil {
		return "", readError("look for card", err)
	}
	return id, nil
}

// AddNote commits a note on the review whose card stands at its thread, with its log entry and the refresh of the card, in one transaction, and
// says whether it is new. A note that is there already, by its place, changes nothing. Errors: hitl.ErrNotFound when there is no such card or its
// item was erased; after any other the outcome is unknown, and the same may be added again.
func (s *Store) AddNote(ctx context.Context, n hitl.Note) (bool, error) {
	reviewID, err := s.CardAt(ctx, n.Channel, n.Thread)
	if err != nil {
		return false, err
	}
	added := false
	try := func() error {
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) (err error) {
			added, err = s.addNote(ctx, tx, reviewID, n)
			return err
		})
	}
	err = try()
	if isRollback(err) {
		err = try()
	}
	if err != nil {
		return false, fmt.Errorf("add note to review %s: %w", reviewID, err)
	}
	return added, nil
}

func (s *Store) addNote(ctx context.Context, tx pgx.Tx, reviewID string, n hitl.Note) (bool, error) {
	var round int
	var itemID, queue string
	err := tx.QueryRow(ctx, `SELECT item_id, round, queue FROM hitl.reviews WHERE id = $1 FOR NO KEY UPDATE`, reviewID).Scan(&itemID, &round, &queue)
	if err != nil {
		return false, fmt.Errorf("lock review: %w", err)
	}
	// After the lock, which whoever erases the item holds, too.
	var secret []byte
	err = tx.QueryRow(ctx, `
		SELECT x.key FROM hitl.items i JOIN hitl.item_texts x ON x.item_id = i.id WHERE i.id = $1 AND i.erased_at IS NULL`, itemID).Scan(&secret)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, hitl.ErrNotFound
	}
	if err != nil {
		return false, fmt.Errorf("read item's key: %w", err)
	}
	tag, err := tx.Exec(ctx, `
		INSERT INTO hitl.notes (channel, ts, item_id, review_id, round, author_team, author_user, text, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (channel, ts) DO NOTHING`,
		n.Channel, n.TS, itemID, reviewID, round, n.Author.Team, n.Author.User, n.Text, n.At)
	if err != nil {
		return false, fmt.Errorf("insert note: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return false, nil
	}
	if _, err := tx.Exec(ctx, `
		INSERT INTO hitl.log (item_id, at, status, text_ref, ai_label, confidence, label, reviewer, model, policy, context)
		SELECT i.id, $2, $3, i.text_ref, i.ai_label, i.confidence, '', $4, coalesce(m.version, ''), i.policy, json_build_object(
		    'source', i.source, 'review', $5::text, 'round', $6::integer, 'queue', $7::text, 'note_ref', $8::text,
		    'where', json_build_object('channel', $9::text, 'message', $10::text))
		FROM hitl.items i LEFT JOIN hitl.model_versions m ON m.id = i.model_id WHERE i.id = $1`,
		itemID, n.At, hitl.Noted, n.Author.String(), reviewID, round, queue, commitmentPrefix+hex.EncodeToString(commitNote(secret, n)),
		n.Channel, n.TS); err != nil {
		return false, fmt.Errorf("write entry: %w", err)
	}
	if _, err := tx.Exec(ctx, `UPDATE hitl.reviews SET version = version + 1 WHERE id = $1`, reviewID); err != nil {
		return false, fmt.Errorf("update review: %w", err)
	}
	return true, s.refreshIf(ctx, tx, true, reviewID)
}
