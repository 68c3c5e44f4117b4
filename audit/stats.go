package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"hitl"
)

// Stats returns the figures of the period [Since, Until), all from one snapshot of the database.
//
// With a queue, reviews and decisions are that queue's alone; items and AI acceptances, which have no queue, are counted all, so that
// the review rate is the share of items that came to this queue. Times to decide are those of people: expired reviews do
// not count, and decisions that were taken back count nowhere. Percentiles interpolate (SQL's percentile_cont). Open and OldestAge tell of now, not of the period.
//
// Errors: *hitl.InvalidError for a period that is empty, hitl.ErrUnavailable when Postgres is out of reach.
func (s *Store) Stats(ctx context.Context, q hitl.StatsQuery) (hitl.Stats, error) {
	since, until := q.Since.UTC().Truncate(time.Microsecond), q.Until.UTC().Truncate(time.Microsecond)
	if !since.Before(until) {
		return hitl.Stats{}, &hitl.InvalidError{Field: "since", Reason: "is not before the period's end"}
	}
	st := hitl.Stats{
		Since: since, Until: until, Queue: q.Queue, Triggers: []hitl.TriggerCount{}, ByReviewer: []hitl.ReviewerStats{},
		ByLabel: []hitl.LabelStats{}, Buckets: newBuckets(since, until),
	}
	width := bucketWidth(until.Sub(since))
	now := s.cfg.Now()
	b := &pgx.Batch{}
	queueItems(b, &st, q.Queue, width)
	queueDecisions(b, &st, q.Queue, width)
	queueGroups(b, &st, q.Queue)
	b.Queue(`SELECT count(*), min(opened_at) FROM hitl.reviews WHERE state = 'open' AND ($1 = '' OR queue = $1)`, q.Queue).
		QueryRow(func(row pgx.Row) error {
			var oldest *time.Time
			err := row.Scan(&st.Open, &oldest)
			if oldest != nil {
				st.OldestAge = max(now.Sub(*oldest), 0)
			}
			return err
		})
	err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		return tx.SendBatch(ctx, b).Close()
	})
	if err != nil {
		return hitl.Stats{}, readError("query statistics", err)
	}
	st.ReviewRate = share(st.Reviewed, st.Items)
	st.AcceptanceRate = share(st.Accepted, st.Accepted+st.Corrected)
	st.CorrectionRate = share(st.Corrected, st.Accepted+st.Corrected)
	st.Decisions = st.Accepted + st.Corrected + st.Expired
	return st, nil
}

func share(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// each scans the rows of a batch's query.
func each(scan func(pgx.Rows) error) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		for rows.Next() {
			if err := scan(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	}
}

// errBucket would be a fault of ours: SQL and Go count buckets alike.
var errBucket = errors.New("row belongs to no bucket")

func (b bucketIndex) of(i int) (*hitl.StatsBucket, error) {
	if i < 0 || i >= len(b) {
		return nil, errBucket
	}
	return &b[i], nil
}

type bucketIndex []hitl.StatsBucket

const bucketSQL = `(extract(epoch FROM (%s - $1::timestamptz)) * 1000000)::bigint / $4::bigint`

// unknown says of hitl.items that nobody knew the answer before: those whose answer is known measure people, not the world.
const unknown = `NOT EXISTS (SELECT FROM hitl.gold g WHERE g.item_id = items.id)`

func queueItems(b *pgx.Batch, st *hitl.Stats, queue string, width time.Duration) {
	sql := fmt.Sprintf(`
		SELECT `+bucketSQL+` AS bucket, count(*), count(*) FILTER (WHERE status = 'AI_ACCEPTED'),
		    count(*) FILTER (WHERE status = 'HUMAN_REVIEW' AND ($3 = '' OR queue = $3))
		FROM hitl.items WHERE received_at >= $1 AND received_at < $2 AND `+unknown+` GROUP BY bucket`, "received_at")
	b.Queue(sql, st.Since, st.Until, queue, width.Microseconds()).Query(each(func(rows pgx.Rows) error {
		var i, items, accepted, reviewed int
		if err := rows.Scan(&i, &items, &accepted, &reviewed); err != nil {
			return err
		}
		bucket, err := bucketIndex(st.Buckets).of(i)
		if err != nil {
			return err
		}
		bucket.AIAccepted, bucket.Reviewed = accepted, reviewed
		st.Items += items
		st.AIAccepted += accepted
		st.Reviewed += reviewed
		return nil
	}))
	b.Queue(`
		SELECT trigger, count(*) FROM hitl.items, unnest(triggers) AS trigger
		WHERE received_at >= $1 AND received_at < $2 AND status = 'HUMAN_REVIEW' AND ($3 = '' OR queue = $3) AND `+unknown+`
		GROUP BY trigger ORDER BY count(*) DESC, trigger COLLATE "C"`, st.Since, st.Until, queue).Query(each(func(rows pgx.Rows) error {
		var t hitl.TriggerCount
		err := rows.Scan(&t.Trigger, &t.Items)
		st.Triggers = append(st.Triggers, t)
		return err
	}))
}

// decided selects the period's decisions that stand: one that was taken back, so that its review is in a later round, is none.
const decided = `FROM hitl.decisions WHERE at >= $1 AND at < $2 AND ($3 = '' OR queue = $3) AND NOT gold
    AND EXISTS (SELECT FROM hitl.reviews r WHERE r.id = decisions.review_id AND r.round = decisions.round)`

func queueDecisions(b *pgx.Batch, st *hitl.Stats, queue string, width time.Duration) {
	sql := fmt.Sprintf(`
		SELECT `+bucketSQL+` AS bucket, count(*) FILTER (WHERE status = 'HUMAN_ACCEPTED'),
		    count(*) FILTER (WHERE status = 'HUMAN_CORRECTED'), count(*) FILTER (WHERE status = 'EXPIRED')
		`+decided+` GROUP BY bucket`, "at")
	b.Queue(sql, st.Since, st.Until, queue, width.Microseconds()).Query(each(func(rows pgx.Rows) error {
		var i, accepted, corrected, expired int
		if err := rows.Scan(&i, &accepted, &corrected, &expired); err != nil {
			return err
		}
		bucket, err := bucketIndex(st.Buckets).of(i)
		if err != nil {
			return err
		}
		bucket.Accepted, bucket.Corrected, bucket.Expired = accepted, corrected, expired
		st.Accepted += accepted
		st.Corrected += corrected
		st.Expired += expired
		return nil
	}))
}

const (
	byPeople = ` AND status IN ('HUMAN_ACCEPTED', 'HUMAN_CORRECTED') `
	toDecide = `coalesce(percentile_cont(%v) WITHIN GROUP (ORDER BY extract(epoch FROM at - opened_at)::float8), 0)`
	verdicts = `count(*) FILTER (WHERE status = 'HUMAN_ACCEPTED'), count(*) FILTER (WHERE status = 'HUMAN_CORRECTED')`
)

func queueGroups(b *pgx.Batch, st *hitl.Stats, queue string) {
	median, p95 := fmt.Sprintf(toDecide, 0.5), fmt.Sprintf(toDecide, 0.95)
	b.Queue(`SELECT `+median+`, `+p95+decided+byPeople, st.Since, st.Until, queue).QueryRow(func(row pgx.Row) error {
		var median, p95 float64
		err := row.Scan(&median, &p95)
		st.MedianToDecide, st.P95ToDecide = seconds(median), seconds(p95)
		return err
	})
	b.Queue(`
		SELECT reviewer_team, reviewer_user, `+verdicts+`, `+median+decided+byPeople+`
		GROUP BY reviewer_team, reviewer_user ORDER BY count(*) DESC, reviewer_team, reviewer_user`, st.Since, st.Until, queue,
	).Query(each(func(rows pgx.Rows) error {
		var r hitl.ReviewerStats
		var median float64
		err := rows.Scan(&r.Reviewer.Team, &r.Reviewer.User, &r.Accepted, &r.Corrected, &median)
		r.MedianToDecide = seconds(median)
		st.ByReviewer = append(st.ByReviewer, r)
		return err
	}))
	b.Queue(`
		SELECT ai_label, `+verdicts+decided+byPeople+` GROUP BY ai_label ORDER BY count(*) DESC, ai_label COLLATE "C"`,
		st.Since, st.Until, queue).Query(each(func(rows pgx.Rows) error {
		var l hitl.LabelStats
		err := rows.Scan(&l.AILabel, &l.Accepted, &l.Corrected)
		st.ByLabel = append(st.ByLabel, l)
		return err
	}))
}

// seconds rounds to the microseconds that Postgres knows.
func seconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(time.Microsecond)
}

// maxBuckets bounds a chart's columns.
const maxBuckets = 20

// bucketWidth returns the smallest round width that cuts a period into at most 20 parts, of which the last may be shorter; a 20th where none fits.
func bucketWidth(period time.Duration) time.Duration {
	const minute, hour, day = time.Minute, time.Hour, 24 * time.Hour
	for _, w := range []time.Duration{
		minute, 2 * minute, 5 * minute, 10 * minute, 15 * minute, 30 * minute, hour, 2 * hour, 3 * hour, 4 * hour, 6 * hour, 12 * hour,
		day, 2 * day, 7 * day, 14 * day, 30 * day,
	} {
		if period <= maxBuckets*w {
			return w
		}
	}
	// Whole microseconds, rounded up, or there would be a 21st.
	w := (period + maxBuckets - 1) / maxBuckets
	return (w + time.Microsecond - 1).Truncate(time.Microsecond)
}

func newBuckets(since, until time.Time) []hitl.StatsBucket {
	w := bucketWidth(until.Sub(since))
	var buckets []hitl.StatsBucket
	for start := since; start.Before(until); start = start.Add(w) {
		buckets = append(buckets, hitl.StatsBucket{Start: start})
	}
	return buckets
}
