package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// makePartitionsEvery is how often the service sees to it that the log has parts for the months to come; there are always three ahead.
const makePartitionsEvery = 24 * time.Hour

// makePartitions makes the log's parts for this month and the next three, as far as they are missing, and returns the names of those that it made, and of
// those that it had to leave out because entries of theirs have landed in the part that takes what no other does.
func makePartitions(ctx context.Context, q querier) (made, left []string, err error) {
	rows, err := q.Query(ctx, `SELECT partition, made FROM hitl.make_log_partitions()`)
	if err != nil {
		return nil, nil, fmt.Errorf("make partitions of the log: %w", err)
	}
	var name string
	var ok bool
	if _, err := pgx.ForEachRow(rows, []any{&name, &ok}, func() error {
		if ok {
			made = append(made, name)
		} else {
			left = append(left, name)
		}
		return nil
	}); err != nil {
		return nil, nil, fmt.Errorf("make partitions of the log: %w", err)
	}
	return made, left, nil
}

// keepPartitions is the periodic task.
func (s *Store) keepPartitions(ctx context.Context) error {
	_, left, err := makePartitions(ctx, s.pool)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		s.cfg.Logger.WarnContext(ctx, "entries of these months came before there was a partition for them: they are in the log, in hitl.log_default, "+
			"and these months cannot be detached; is a clock wrong, or did the service not run for months?", "partitions", left)
	}
	return nil
}
