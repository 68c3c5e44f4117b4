package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"hitl"
)

var _ hitl.Masters = (*Store)(nil)

const masterColumns = `id, queue, label, text, metadata, subject, from_item, added_by, added_at`

func scanMaster(row pgx.CollectableRow) (hitl.Master, error) {
	var m hitl.Master
	var metadata []byte
	if err := row.Scan(&m.ID, &m.Queue, &m.Label, &m.Text, &metadata, &m.Subject, &m.FromItem, &m.AddedBy, &m.AddedAt); err != nil {
		return m, err
	}
	m.AddedAt = m.AddedAt.UTC()
	if err := json.Unmarshal(metadata, &m.Metadata); err != nil {
		return m, fmt.Errorf("read metadata of %s: %w", m.ID, err)
	}
	return m, nil
}

// AddMasters keeps masters, all or, after an error, none, and returns their ids.
func (s *Store) AddMasters(ctx context.Context, masters []hitl.Master) ([]string, error) {
	ids := make([]string, len(masters))
	b := &pgx.Batch{}
	for i, m := range masters {
		if m.Metadata == nil {
			m.Metadata = map[string]any{}
		}
		metadata, err := toJSON("metadata", m.Metadata)
		if err != nil {
			return nil, err
		}
		ids[i] = hitl.NewID("gld", s.cfg.Now())
		b.Queue(`INSERT INTO hitl.gold_masters (id, queue, label, text, metadata, subject, from_item, added_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			ids[i], m.Queue, m.Label, m.Text, metadata, m.Subject, m.FromItem, m.AddedBy)
	}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return tx.SendBatch(ctx, b).Close() })
	if err != nil {
		return nil, fmt.Errorf("add known answers: %w", err)
	}
	return ids, nil
}

// Masters returns the masters of a queue, or ("") of all, the oldest first.
func (s *Store) Masters(ctx context.Context, queue string) ([]hitl.Master, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+masterColumns+` FROM hitl.gold_masters WHERE $1 = '' OR queue = $1 ORDER BY id`, queue)
	if err != nil {
		return nil, readError("query known answers", err)
	}
	list, err := pgx.CollectRows(rows, scanMaster)
	if err != nil {
		return nil, readError("query known answers", err)
	}
	return list, nil
}

// RemoveMaster forgets a master; what was made of it stays as it is. Error: hitl.ErrNotFound.
func (s *Store) RemoveMaster(ctx context.Context, id string) error {
	tag, err := s.pool.Exec(ctx, `DELETE FROM hitl.gold_masters WHERE id = $1`, id)
	if err != nil {
		return fmt.Errorf("remove known answer: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return hitl.ErrNotFound
	}
	return nil
}

// DrawMaster implements hitl.Masters: by chance among the few that were not drawn for longest, so that all have their turn in no fixed order.
func (s *Store) DrawMaster(ctx context.Context, queue string) (hitl.Master, error) {
	rows, err := s.pool.Query(ctx, `
		UPDATE hitl.gold_masters SET drawn_at = clock_timestamp() WHERE id = (
		    SELECT id FROM (
		        SELECT id FROM hitl.gold_masters WHERE queue = $1 ORDER BY drawn_at NULLS FIRST
		        LIMIT (SELECT (count(*) + 2) / 3 FROM hitl.gold_masters WHERE queue = $1)) AS longest
		    ORDER BY random() LIMIT 1)
		RETURNING `+masterColumns, queue)
	if err != nil {
		return hitl.Master{}, fmt.Errorf("draw known answer: %w", err)
	}
	m, err := pgx.CollectExactlyOneRow(rows, scanMaster)
	if errors.Is(err, pgx.ErrNoRows) {
		return m, hitl.ErrNotFound
	}
	if err != nil {
		return m, fmt.Errorf("draw known answer: %w", err)
	}
	return m, nil
}

// GoldFigures are one person's answers to what was known.
type GoldFigures struct {
	Reviewer hitl.Reviewer
	Right    int
	Of       int
	Missed   []hitl.MissedGold // the latest, hitl.MaxMissedGold at most
}

// GoldFigures returns the figures of a queue in [since, until), by person: of single decisions that stand, as ReviewerQuality counts them.
func (s *Store) GoldFigures(ctx context.Context, queue string, since, until time.Time) ([]GoldFigures, error) {
	rows, err := s.pool.Query(ctx, `
		WITH d AS (SELECT d.*, g.label AS known, d.label = g.label AS good FROM (SELECT d.* `+byOne+` AND d.gold AND d.queue = $3) d
		    JOIN hitl.gold g ON g.item_id = d.item_id)
		SELECT reviewer_team, reviewer_user, count(*) FILTER (WHERE good), count(*),
		    coalesce(json_agg(json_build_object('review', review_id, 'said', label, 'known', known) ORDER BY at DESC) FILTER (WHERE NOT good), '[]')
		FROM d GROUP BY 1, 2 ORDER BY 1, 2`, since, until, queue)
	if err != nil {
		return nil, readError("query known answers", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (f GoldFigures, err error) {
		var missed []byte
		if err := row.Scan(&f.Reviewer.Team, &f.Reviewer.User, &f.Right, &f.Of, &missed); err != nil {
			return f, err
		}
		err = json.Unmarshal(missed, &f.Missed)
		f.Missed = f.Missed[:min(len(f.Missed), hitl.MaxMissedGold)]
		return f, err
	})
	if err != nil {
		return nil, readError("query known answers", err)
	}
	return list, nil
}

// NoticePosted says whether a notice is where it is meant to be.
func (s *Store) NoticePosted(ctx context.Context, id string) (posted bool, err error) {
	err = s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM hitl.notices WHERE id = $1 AND state = 'posted')`, id).Scan(&posted)
	if err != nil {
		return false, readError("query notice", err)
	}
	return posted, nil
}
