package audit

import (
	"math"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"hitl/audit/verify"
)

// logRow takes one row of hitl.log, whatever it holds: a column of a row that an outer join did not find is NULL.
type logRow struct {
	id                                                               *int64
	at                                                               pgtype.Timestamptz
	itemID, status, aiLabel, label, reviewer, model, policy, context *string
	textRef                                                          []byte
	confidence                                                       *float64
	tx                                                               *uint64
}

// into are the targets of entryColumns.
func (r *logRow) into() []any {
	return []any{
		&r.id, &r.itemID, &r.at, &r.status, &r.textRef, &r.aiLabel, &r.confidence, &r.label, &r.reviewer, &r.model, &r.policy,
		&r.context, &r.tx,
	}
}

func (r *logRow) found() bool { return r.id != nil }

func (r *logRow) entry() verify.Entry {
	return verify.Entry{
		ID: orZero(r.id), ItemID: orZero(r.itemID), At: microseconds(r.at), Status: orZero(r.status), TextRef: r.textRef, AILabel: orZero(r.aiLabel),
		Confidence: orZero(r.confidence), Label: orZero(r.label), Reviewer: orZero(r.reviewer), Model: orZero(r.model), Policy: orZero(r.policy),
		Context: orZero(r.context), Tx: orZero(r.tx),
	}
}

func orZero[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// microseconds is a time as a leaf holds it.
func microseconds(t pgtype.Timestamptz) int64 {
	switch t.InfinityModifier {
	case pgtype.Infinity:
		return math.MaxInt64
	case pgtype.NegativeInfinity:
		return math.MinInt64
	default:
		return t.Time.Unix()*int64(time.Second/time.Microsecond) + int64(t.Time.Nanosecond())/int64(time.Microsecond)
	}
}
