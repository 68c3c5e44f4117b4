package audit

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// ErrNotDurable says that Postgres answers a commit before it is safe on its disk, or does not keep its pages whole.
var ErrNotDurable = errors.New("postgres may lose what it has committed when its machine crashes")

// CheckDurability returns an ErrNotDurable that names the settings, as this service's sessions have them, with which a commit is no promise, or
// nil when there are none. Another error says that they could not be read. What is changed in Postgres later, it cannot see.
func (s *Store) CheckDurability(ctx context.Context) error {
	// synchronous_commit may be that of the server, the database, the role or the connection's options: a session has what is in force.
	rows, err := s.pool.Query(ctx, `
		SELECT name, source FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off' ORDER BY name`)
	if err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	type setting struct{ Name, Source string }
	off, err := pgx.CollectRows(rows, pgx.RowToStructByPos[setting])
	if err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	if len(off) == 0 {
		return nil
	}
	words := make([]string, len(off))
	for i, o := range off {
		words[i] = fmt.Sprintf("%s is off (set by: %s)", o.Name, o.Source)
	}
	return fmt.Errorf("%w: %s", ErrNotDurable, strings.Join(words, ", "))
}
