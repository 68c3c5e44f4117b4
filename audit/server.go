package audit

import (
	"context"
	"fmt"
	"time"
)

// Server is what the store knows of the Postgres it talks to.
type Server struct {
	Version    string        // "17.2"
	Role       string        // that the store logs in as
	CanRewrite bool          // the role may alter or delete entries of the log
	Took       time.Duration // one round trip
}

// Server asks Postgres about itself and about the store's role.
func (s *Store) Server(ctx context.Context) (v Server, err error) {
	if err := s.Ready(ctx); err != nil { // connects, which is not to be measured
		return v, err
	}
	begin := time.Now()
	if err := s.Ready(ctx); err != nil {
		return v, err
	}
	v.Took = time.Since(begin)
	err = s.pool.QueryRow(ctx, `
		SELECT current_setting('server_version'), current_user, EXISTS (
		    SELECT FROM pg_partition_tree('hitl.log') t
		    WHERE has_any_column_privilege(t.relid, 'UPDATE') OR has_table_privilege(t.relid, 'DELETE, TRUNCATE, TRIGGER'))`,
	).Scan(&v.Version, &v.Role, &v.CanRewrite)
	if err != nil {
		return v, fmt.Errorf("ask database about itself: %w", err)
	}
	return v, nil
}
