package audit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"hitl"
)

// columns are the rows of a batch, column by column, as unnest takes them.
type columns struct {
	id, source, externalID             []string
	bodyHash                           [][]byte
	receivedAt                         []time.Time
	subject                            []string
	textRef                            [][]byte
	modelID                            []int64
	aiLabel                            []string
	confidence                         []float64
	scores                             []string
	latency                            []int64
	tokens                             []int32
	truncated                          []bool
	failure, status, triggers          []string
	queue, priority, policy            []string
	threshold, inclusion               []float64
	text, metadata                     []string
	secret                             [][]byte
	reviewID                           []*string
	round                              []*int32
	state, reviewQueue, reviewPriority []*string
	openedAt, expiresAt                []*time.Time
	remindAt, escalateAt               []*time.Time
	panel                              []*int32
	blind                              []*bool
	twin                               [][]byte
	calibration                        []string
	callbackID                         []*string
	callbackBody                       [][]byte
	label, model, context              []string
	goldMaster, goldLabel              []*string
	goldFrom, goldShownAs              []*string
	teaches                            []*float64
	trace, stage                       []string
}

// insertItems writes a batch in one statement and returns the ids that were new. The log entries of a batch stand in its order.
var insertItems = `
WITH t AS MATERIALIZED (
    SELECT * FROM unnest(
        $1::text[], $2::text[], $3::text[], $4::bytea[], $5::timestamptz[], $6::text[], $7::bytea[], $8::bigint[],
        $9::text[], $10::float8[], $11::text[], $12::bigint[], $13::int[], $14::bool[], $15::text[],
        $16::text[], $17::text[], $18::text[], $19::text[], $20::text[], $21::float8[], $22::float8[],
        $23::text[], $24::text[], $25::bytea[],
        $26::text[], $27::int[], $28::text[], $29::text[], $30::text[], $31::timestamptz[], $32::timestamptz[],
        $33::text[], $34::bytea[], $35::text[], $36::text[], $37::text[],
        $38::timestamptz[], $39::timestamptz[], $40::int[], $41::bool[], $42::bytea[], $43::text[],
        $44::text[], $45::text[], $46::text[], $47::text[], $48::float8[], $49::text[], $50::text[]
    ) AS t (
        id, source, external_id, body_hash, received_at, subject, text_ref, model_id,
        ai_label, confidence, scores, latency_ns, tokens, truncated, failure,
        status, triggers, queue, priority, policy, threshold, inclusion,
        text, metadata, key,
        review_id, round, state, review_queue, review_priority, opened_at, expires_at,
        callback_id, callback_body, label, model, context,
        remind_at, escalate_at, panel, blind, twin, calibration,
        gold_master, gold_label, gold_from, gold_shown_as, teaches, trace, stage
    )
), fresh AS (
    INSERT INTO hitl.items (
        id, source, external_id, body_hash, received_at, subject, text_ref, model_id, ai_label, confidence, scores, latency_ns, tokens,
        truncated, failure, status, triggers, queue, priority, policy, threshold, inclusion, calibration, trace, stage)
    SELECT id, source, external_id, body_hash, received_at, subject, text_ref, model_id, ai_label, confidence, scores::json, latency_ns,
        tokens, truncated, failure, status, string_to_array(triggers, E'\n'), queue, priority, policy, threshold, inclusion, calibration,
        nullif(trace, ''), stage
    FROM t
    ON CONFLICT (source, external_id) DO NOTHING
    RETURNING id
), texts AS (
    INSERT INTO hitl.item_texts (item_id, text, metadata, key)
    SELECT id, text, metadata::json, key FROM t JOIN fresh USING (id)
), reviews AS (
    INSERT INTO hitl.reviews (id, item_id, round, state, queue, priority, opened_at, expires_at, source,
        remind_at, escalate_at, panel, blind, twin, teaches)
    SELECT review_id, id, round, state, review_queue, review_priority, opened_at, expires_at, source,
        remind_at, escalate_at, panel, blind, twin, teaches
    FROM t JOIN fresh USING (id) WHERE review_id IS NOT NULL
), gold AS (
    INSERT INTO hitl.gold (item_id, queue, label, shown_at, added_by, master, from_item, shown_as)
    SELECT id, queue, gold_label, received_at, 'intake', gold_master, gold_from, gold_shown_as
    FROM t JOIN fresh USING (id) WHERE gold_master IS NOT NULL
), callbacks AS (
    INSERT INTO hitl.callbacks (id, source, item_id, body)
    SELECT callback_id, source, id, callback_body FROM t JOIN fresh USING (id) WHERE callback_id IS NOT NULL
), log AS (
    INSERT INTO hitl.log (item_id, at, status, text_ref, ai_label, confidence, label, reviewer, model, policy, context)
    SELECT id, received_at, status, text_ref, ai_label, confidence, label, '', model, policy, context::json
    FROM t JOIN fresh USING (id) ORDER BY received_at, id COLLATE "C"
)
SELECT id FROM fresh`

func (c *columns) add(r row, modelID int64) {
	it, p, rt := r.rec.Item, r.rec.Prediction, r.rec.Route
	c.id, c.source, c.externalID = append(c.id, it.ID), append(c.source, it.Source), append(c.externalID, it.ExternalID)
	c.bodyHash = append(c.bodyHash, it.BodyHash[:])
	c.receivedAt = append(c.receivedAt, it.ReceivedAt)
	c.subject = append(c.subject, it.Subject)
	c.textRef = append(c.textRef, r.textRef)
	c.modelID = append(c.modelID, modelID)
	c.aiLabel, c.confidence, c.scores = append(c.aiLabel, p.Label), append(c.confidence, p.Confidence), append(c.scores, r.scores)
	c.latency, c.tokens = append(c.latency, int64(p.Latency)), append(c.tokens, int32(min(p.Tokens, 1<<30)))
	c.truncated, c.failure = append(c.truncated, p.Truncated), append(c.failure, r.rec.Failure)
	c.status, c.triggers = append(c.status, string(rt.Status)), append(c.triggers, r.triggers)
	c.queue, c.priority = append(c.queue, rt.Queue), append(c.priority, string(rt.Priority))
	c.policy, c.threshold = append(c.policy, rt.Policy), append(c.threshold, rt.Threshold)
	c.inclusion = append(c.inclusion, rt.Inclusion)
	c.calibration, c.stage, c.trace = append(c.calibration, p.Calibration), append(c.stage, p.Stage), append(c.trace, it.Trace)
	c.text, c.metadata, c.secret = append(c.text, r.text), append(c.metadata, r.metadata), append(c.secret, r.secret)
	c.addReview(r.rec.Review)
	c.addGold(r.rec.Gold)
	var callbackID *string
	var body []byte
	if r.callback != nil {
		callbackID, body = &r.callback.ID, r.callback.Body
	}
	c.callbackID, c.callbackBody = append(c.callbackID, callbackID), append(c.callbackBody, body)
	c.label, c.model, c.context = append(c.label, r.label), append(c.model, p.Model), append(c.context, r.context)
}

func (c *columns) addReview(r *hitl.Review) {
	var id, state, queue, priority *string
	var round *int32
	var opened, expires, remind, escalate *time.Time
	var panel *int32
	var blind *bool
	var twin []byte
	var teaches *float64
	if r != nil {
		teaches = r.Teaches
		n, voices := int32(min(r.Round, 1<<30)), int32(min(max(r.Panel, 1), 1<<30))
		panel, blind, twin, remind, escalate = &voices, &r.Blind, r.Twin, optionalTime(r.RemindAt), optionalTime(r.EscalateAt)
		id, round, state, queue, priority = &r.ID, &n, (*string)(&r.State), &r.Queue, (*string)(&r.Priority)
		opened, expires = &r.OpenedAt, optionalTime(r.ExpiresAt)
	}
	c.reviewID, c.round, c.state = append(c.reviewID, id), append(c.round, round), append(c.state, state)
	c.reviewQueue, c.reviewPriority = append(c.reviewQueue, queue), append(c.reviewPriority, priority)
	c.openedAt, c.expiresAt = append(c.openedAt, opened), append(c.expiresAt, expires)
	c.remindAt, c.escalateAt = append(c.remindAt, remind), append(c.escalateAt, escalate)
	c.panel, c.blind, c.twin, c.teaches = append(c.panel, panel), append(c.blind, blind), append(c.twin, twin), append(c.teaches, teaches)
}

func (c *columns) addGold(g *hitl.Gold) {
	var master, label, from, shownAs *string
	if g != nil {
		master, label, from, shownAs = &g.Master, &g.Label, &g.FromItem, &g.ShownAs
	}
	c.goldMaster, c.goldLabel = append(c.goldMaster, master), append(c.goldLabel, label)
	c.goldFrom, c.goldShownAs = append(c.goldFrom, from), append(c.goldShownAs, shownAs)
}

func (c *columns) args() []any {
	return []any{
		c.id, c.source, c.externalID, c.bodyHash, c.receivedAt, c.subject, c.textRef, c.modelID,
		c.aiLabel, c.confidence, c.scores, c.latency, c.tokens, c.truncated, c.failure,
		c.status, c.triggers, c.queue, c.priority, c.policy, c.threshold, c.inclusion,
		c.text, c.metadata, c.secret,
		c.reviewID, c.round, c.state, c.reviewQueue, c.reviewPriority, c.openedAt, c.expiresAt,
		c.callbackID, c.callbackBody, c.label, c.model, c.context,
		c.remindAt, c.escalateAt, c.panel, c.blind, c.twin, c.calibration,
		c.goldMaster, c.goldLabel, c.goldFrom, c.goldShownAs, c.teaches, c.trace, c.stage,
	}
}

// flush writes calls of different keys in one transaction and returns the ids of those that were new. It tries once more when nothing was
// written, and also when Postgres went away in the middle: what the first attempt may have committed all the same is found under its keys then.
func (s *Store) flush(ctx context.Context, calls []*call) (map[string]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*s.cfg.StatementTimeout)
	defer cancel()
	fresh, err := s.flushOnce(ctx, calls)
	switch {
	case err == nil:
	case nothingSent(err), isRollback(err):
		fresh, err = s.flushOnce(ctx, calls)
	case outOfReach(err):
		for _, c := range calls {
			c.doubt = true
		}
		s.pool.Reset() // the other connections are as old as the one that is gone
		again, errAgain := s.flushOnce(ctx, calls)
		if errAgain != nil {
			return nil, err // and not what the second attempt says of itself
		}
		return again, nil
	}
	if err != nil && nothingSent(err) {
		return nil, fmt.Errorf("%w: %w", hitl.ErrUnavailable, err)
	}
	return fresh, err
}

func (s *Store) flushOnce(ctx context.Context, calls []*call) (map[string]bool, error) {
	var cols columns
	for _, c := range calls {
		id, err := s.modelID(ctx, c.row.model)
		if err != nil {
			return nil, err
		}
		cols.add(c.row, id)
	}
	return insertBatch(ctx, s.pool, &cols) // a statement is a transaction
}

// querier is a pool, a connection or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func insertBatch(ctx context.Context, q querier, cols *columns) (map[string]bool, error) {
	rows, err := q.Query(ctx, insertItems, cols.args()...)
	if err != nil {
		return nil, fmt.Errorf("append items: %w", err)
	}
	fresh := make(map[string]bool, len(cols.id))
	var id string
	if _, err := pgx.ForEachRow(rows, []any{&id}, func() error { fresh[id] = true; return nil }); err != nil {
		return nil, fmt.Errorf("append items: %w", err)
	}
	return fresh, nil
}

// isDataError says whether Postgres refused the values themselves: it will again.
func isDataError(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		// pgx refuses what it cannot encode before anything is sent.
		return strings.Contains(err.Error(), "failed to encode args")
	}
	switch pg.Code[:2] {
	case "22", "23", "54": // data exception, integrity constraint violation, program limit exceeded
		return true
	}
	return false
}

// nothingSent says whether the error came before Postgres was told anything.
func nothingSent(err error) bool {
	_, unconnected := errors.AsType[*pgconn.ConnectError](err)
	return unconnected || pgconn.SafeToRetry(err)
}

// isRollback says whether Postgres took the transaction back for the sake of another one.
func isRollback(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01") // serialization failure, deadlock
}
