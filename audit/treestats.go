package audit

import (
	"context"
	"fmt"
	"time"
)

// pendingMost is where counting entries without a position ends.
const pendingMost = 100_000

// TreeStats is how far the log's tree has come, for metrics.
type TreeStats struct {
	Entries    int64         // in the tree
	Pending    int64         // in the log, and not yet in the tree; counted up to 100,000
	Checkpoint int64         // entries that the latest signed checkpoint covers; 0 when there is none
	Age        time.Duration // of that checkpoint, by the database's clock
}

// unplaced are log entries l from the tree's horizon t on that have no position, of the first $1. The planner does not know how few they are: the order keeps
// it from reading the whole log, and OFFSET 0 from reading all positions.
const unplaced = `
	(SELECT id, at FROM hitl.log WHERE tx >= t.horizon ORDER BY tx, id LIMIT $1) l
	LEFT JOIN LATERAL (SELECT p.position FROM hitl.log_positions p WHERE p.log_id = l.id OFFSET 0) p ON true
	WHERE p.position IS NULL`

const treeStats = `
	SELECT t.size, coalesce(c.size, 0), coalesce((extract(epoch FROM clock_timestamp() - c.at) * 1000000)::bigint, 0),
	    (SELECT count(*) FROM ` + unplaced + `)
	FROM hitl.log_tree t LEFT JOIN (SELECT size, at FROM hitl.log_checkpoints ORDER BY id DESC LIMIT 1) c ON true`

// TreeStats reads how far the tree has come. It costs a look at what is pending, not at the log.
func (s *Store) TreeStats(ctx context.Context) (TreeStats, error) {
	var t TreeStats
	var age int64
	err := s.pool.QueryRow(ctx, treeStats, pendingMost).Scan(&t.Entries, &t.Checkpoint, &age, &t.Pending)
	if err != nil {
		return t, fmt.Errorf("read tree: %w", err)
	}
	t.Age = max(0, time.Duration(age)*time.Microsecond)
	return t, nil
}
