package audit

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"hitl"
)

// recordSelect reads records: the item, its text unless it was erased, its review with the voices of its panel, the decision of the review's round,
// and notes.
const recordSelect = `
SELECT i.id, i.source, coalesce(nullif(gold.shown_as, ''), i.external_id), i.body_hash, i.received_at, i.subject, coalesce(x.text, ''), coalesce(x.metadata, '{}'), i.erased_at,
    coalesce(m.version, ''), coalesce(m.classifier, ''), coalesce(m.labels, '{}'),
    i.ai_label, i.confidence, i.scores, i.latency_ns, i.tokens, i.truncated, i.failure, i.calibration, i.stage,
    i.status, i.triggers, i.queue, i.priority, i.policy, i.threshold, i.inclusion,
    ` + reviewSelect + `,
    d.status, d.label, d.reviewer_team, d.reviewer_user, d.reason, d.comment, d.at, d.context,
    CASE WHEN r.panel > 1 THEN ` + selectVoices + ` END,
    ` + notesSelect + `,
    ` + countTwins + `, gold.master, coalesce(gold.label, ''), coalesce(gold.from_item, ''), coalesce(gold.shown_as, ''), coalesce(i.trace, '')
FROM hitl.items i
LEFT JOIN hitl.item_texts x ON x.item_id = i.id
LEFT JOIN hitl.model_versions m ON m.id = i.model_id
LEFT JOIN hitl.gold ON gold.item_id = i.id
LEFT JOIN hitl.reviews r ON r.item_id = i.id
LEFT JOIN hitl.decisions d ON d.review_id = r.id AND d.round = r.round
`

// scanRecord reads one row of recordSelect.
func scanRecord(rows pgx.CollectableRow) (hitl.Record, error) {
	var (
		rec                    hitl.Record
		hash, metadata, scores []byte
		latency                int64
		triggers               []string
		erased                 *time.Time
		r                      reviewColumns
		d                      decisionColumns
		voices, notes          []byte
		master                 *string
		gold                   hitl.Gold
	)
	it, p, rt := &rec.Item, &rec.Prediction, &rec.Route
	dest := []any{
		&it.ID, &it.Source, &it.ExternalID, &hash, &it.ReceivedAt, &it.Subject, &it.Text, &metadata, &erased,
		&p.Model, &rec.Classifier, &rec.Labels, &p.Label, &p.Confidence, &scores, &latency, &p.Tokens, &p.Truncated, &rec.Failure, &p.Calibration, &p.Stage,
		&rt.Status, &triggers, &rt.Queue, &rt.Priority, &rt.Policy, &rt.Threshold, &rt.Inclusion,
	}
	dest = append(dest, r.dest()...)
	dest = append(dest, &d.status, &d.label, &d.team, &d.user, &d.reason, &d.comment, &d.at, &d.context, &voices, &notes, &rec.Twins,
		&master, &gold.Label, &gold.FromItem, &gold.ShownAs, &it.Trace)
	err := rows.Scan(dest...)
	if err != nil {
		return rec, fmt.Errorf("read record: %w", err)
	}
	if copy(it.BodyHash[:], hash) != len(it.BodyHash) {
		return rec, fmt.Errorf("read record %s: body hash is %d bytes long", it.ID, len(hash))
	}
	if err := json.Unmarshal(metadata, &it.Metadata); err != nil {
		return rec, fmt.Errorf("read metadata of %s: %w", it.ID, err)
	}
	if it.Metadata == nil {
		it.Metadata = map[string]any{}
	}
	if erased != nil {
		it.ErasedAt = erased.UTC()
	}
	if err := json.Unmarshal(scores, &p.Scores); err != nil {
		return rec, fmt.Errorf("read scores of %s: %w", it.ID, err)
	}
	if master != nil {
		gold.Master, rec.Gold = *master, &gold
	}
	it.ReceivedAt, p.Latency = it.ReceivedAt.UTC(), time.Duration(latency)
	for _, t := range triggers {
		rt.Triggers = append(rt.Triggers, hitl.Trigger(t))
	}
	if len(rec.Labels) == 0 {
		rec.Labels = nil
	}
	if r.id == nil {
		return rec, nil
	}
	review := r.review(it.ID)
	rec.Review = &review
	if rec.Voices, err = scanVoices(voices); err != nil {
		return rec, fmt.Errorf("read voices in review %s: %w", review.ID, err)
	}
	if rec.Notes, err = readNotes(notes); err != nil {
		return rec, fmt.Errorf("read notes of %s: %w", it.ID, err)
	}
	if d.status != nil {
		decision, err := d.decision(review.ID, review.Round)
		if err != nil {
			return rec, err
		}
		rec.Decision = &decision
	}
	return rec, nil
}

// decisionColumns are a decision's columns as an outer join gives them.
type decisionColumns struct {
	status, label, team, user, reason, comment *string
	at                                         *time.Time
	context                                    []byte
}

func (d decisionColumns) decision(reviewID string, round int) (hitl.Decision, error) {
	dec := hitl.Decision{
		ReviewID: reviewID, Round: round, Status: hitl.Status(*d.status), Label: *d.label,
		Reviewer: hitl.Reviewer{Team: *d.team, User: *d.user}, Reason: *d.reason, Comment: *d.comment, At: d.at.UTC(),
	}
	if err := json.Unmarshal(d.context, &dec.Context); err != nil {
		return dec, fmt.Errorf("read context of decision %s/%d: %w", reviewID, round, err)
	}
	return dec, nil
}

// one returns the record that a condition on recordSelect finds, or hitl.ErrNotFound. When Postgres is out of reach, the error is
// hitl.ErrUnavailable.
func (s *Store) one(ctx context.Context, where string, args ...any) (hitl.Record, error) {
	rows, err := s.pool.Query(ctx, recordSelect+where, args...)
	if err != nil {
		return hitl.Record{}, readError("query record", err)
	}
	rec, err := pgx.CollectExactlyOneRow(rows, scanRecord)
	if errors.Is(err, pgx.ErrNoRows) {
		return hitl.Record{}, hitl.ErrNotFound
	}
	if err != nil {
		return hitl.Record{}, readError("query record", err)
	}
	return rec, nil
}

// Find returns the record with an idempotency key, or hitl.ErrNotFound.
func (s *Store) Find(ctx context.Context, source, externalID string) (hitl.Record, error) {
	return s.one(ctx, `WHERE i.source = $1 AND i.external_id = $2`, source, externalID)
}

// Item returns the record of an item, or hitl.ErrNotFound.
func (s *Store) Item(ctx context.Context, id string) (hitl.Record, error) {
	return s.one(ctx, `WHERE i.id = $1`, id)
}

// Review returns the record of a review's item, with that review and the decision of its round, or hitl.ErrNotFound.
func (s *Store) Review(ctx context.Context, reviewID string) (hitl.Record, error) {
	return s.one(ctx, `WHERE r.id = $1`, reviewID)
}

// findKeys returns the records stored under some keys.
func (s *Store) findKeys(ctx context.Context, keys []key) (map[key]hitl.Record, error) {
	sources, ids := make([]string, len(keys)), make([]string, len(keys))
	for i, k := range keys {
		sources[i], ids[i] = k.source, k.externalID
	}
	rows, err := s.pool.Query(ctx, recordSelect+`
		JOIN (SELECT DISTINCT * FROM unnest($1::text[], $2::text[])) AS k (source, external_id)
		    ON k.source = i.source AND k.external_id = i.external_id`, sources, ids)
	if err != nil {
		return nil, fmt.Errorf("find stored records: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanRecord)
	if err != nil {
		return nil, fmt.Errorf("find stored records: %w", err)
	}
	found := make(map[key]hitl.Record, len(list))
	for _, rec := range list {
		found[key{rec.Item.Source, rec.Item.ExternalID}] = rec
	}
	return found, nil
}

// sealed is the condition on hitl.log AS l for the verdicts of a panel that has no decision yet: they are shown to nobody, so that those who are
// to come stay independent.
const sealed = `(l.status = 'VERDICT' AND NOT EXISTS (
    SELECT FROM hitl.decisions d WHERE d.review_id = l.context->>'review' AND d.round = (l.context->>'round')::int))`

// Log returns an item's log entries, the oldest first, or hitl.ErrNotFound, or hitl.ErrUnavailable. Those of verdicts are among them once their
// panel has its decision.
func (s *Store) Log(ctx context.Context, itemID string) ([]hitl.Entry, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT id, item_id, at, status, text_ref, ai_label, confidence, label, reviewer, model, policy, context
		FROM hitl.log l WHERE item_id = $1 AND NOT `+sealed+` ORDER BY id`, itemID)
	if err != nil {
		return nil, readError("read log", err)
	}
	entries, err := pgx.CollectRows(rows, scanEntry)
	if err != nil {
		return nil, readError("read log", err)
	}
	if len(entries) == 0 {
		return nil, s.withoutEntries(ctx, itemID) // every item has an entry
	}
	return entries, nil
}

// withoutEntries is hitl.ErrNotFound, and says where the entries of an item are that were detached.
func (s *Store) withoutEntries(ctx context.Context, itemID string) error {
	var name string
	err := s.pool.QueryRow(ctx, `
		SELECT d.name FROM hitl.items i JOIN hitl.log_detached d ON i.received_at >= d.since AND i.received_at < d.until
		WHERE i.id = $1 ORDER BY d.log_id DESC LIMIT 1`, itemID).Scan(&name)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return hitl.ErrNotFound
	case err != nil:
		return readError("look among what is detached", err)
	}
	return fmt.Errorf("its entries were detached from the log with the table %s: %w", name, hitl.ErrNotFound)
}

// commitmentPrefix names how the log refers to a text or a comment.
const commitmentPrefix = "hmac-sha256:"

func scanEntry(row pgx.CollectableRow) (hitl.Entry, error) {
	var e hitl.Entry
	var ref, context []byte
	err := row.Scan(&e.ID, &e.ItemID, &e.At, &e.Status, &ref, &e.AILabel, &e.Confidence, &e.Label, &e.Reviewer, &e.Model, &e.Policy, &context)
	if err != nil {
		return e, err
	}
	e.At, e.TextRef = e.At.UTC(), commitmentPrefix+hex.EncodeToString(ref)
	if err := json.Unmarshal(context, &e.Context); err != nil {
		return e, fmt.Errorf("read context of entry %d: %w", e.ID, err)
	}
	return e, nil
}
