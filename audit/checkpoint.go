package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"hitl"
	"hitl/audit/verify"
)

// checkpointer signs checkpoints of one log.
type checkpointer struct {
	signer   note.Signer
	verifier note.Verifier
	last     verify.Checkpoint // the last that this process signed or saw, whatever the database says now
}

func newCheckpointer(cfg SequenceConfig) (*checkpointer, error) {
	signer, err := note.NewSigner(cfg.Key)
	if err != nil {
		return nil, errors.New("the log's key is no private key in the note format") // the key itself stays out of the message
	}
	verifier, _, err := verify.VerifierOf(cfg.Key)
	if err != nil {
		return nil, err
	}
	return &checkpointer{signer: signer, verifier: verifier}, nil
}

// errForked says that the tree in the database is not an extension of what was signed. Nothing is signed until someone looks.
var errForked = errors.New("the log's tree does not extend its last checkpoint: run `hitl verify`")

// checkpoint signs the tree as it is, when it grew and the last checkpoint is old enough. It returns the latest note, "" when there is none, and
// whether it was signed here and now.
func (s *Store) checkpoint(ctx context.Context, c *checkpointer, minAge time.Duration) (signed string, fresh bool, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(sequenceLock)); err != nil {
			return fmt.Errorf("wait to lead: %w", err)
		}
		state, err := readTree(ctx, tx)
		if err != nil {
			return err
		}
		latest, age, err := latestCheckpoint(ctx, tx)
		if err != nil && !errors.Is(err, hitl.ErrNotFound) {
			return err
		}
		signed = latest
		if latest != "" {
			// One of another key, from before the key was changed, binds nobody any more.
			if known, err := verify.OpenCheckpoint(latest, c.verifier); err == nil {
				if known.Size > c.last.Size {
					c.last = known
				}
				if known.Size == state.size || age < minAge {
					return nil
				}
			}
		}
		if state.size == 0 {
			return nil
		}
		next, err := s.nextCheckpoint(ctx, tx, c, state.size)
		if err != nil {
			return err
		}
		if signed, err = verify.SignCheckpoint(next, c.signer); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO hitl.log_checkpoints (size, note) VALUES ($1, $2)`, next.Size, signed); err != nil {
			return fmt.Errorf("insert checkpoint: %w", err)
		}
		c.last, fresh = next, true
		return nil
	})
	if err != nil {
		return "", false, fmt.Errorf("sign checkpoint: %w", err)
	}
	return signed, fresh, nil
}

// nextCheckpoint is the tree as it is, which must extend the last checkpoint.
func (s *Store) nextCheckpoint(ctx context.Context, tx pgx.Tx, c *checkpointer, size int64) (verify.Checkpoint, error) {
	tree, err := loadTree(ctx, tx, size)
	if err != nil {
		return verify.Checkpoint{}, err
	}
	next := verify.Checkpoint{Origin: c.signer.Name(), Size: size, Root: tree.Root()}
	if c.last.Size == 0 {
		return next, nil
	}
	if c.last.Size > size {
		return next, errForked
	}
	proof, err := tlog.ProveTree(size, c.last.Size, treeReader(ctx, tx, next))
	if err != nil {
		return next, fmt.Errorf("%w: %w", errForked, err)
	}
	if err := tlog.CheckTree(proof, size, next.Root, c.last.Size, c.last.Root); err != nil {
		return next, fmt.Errorf("%w: %w", errForked, err)
	}
	return next, nil
}

// latestCheckpoint returns the newest note and its age by the database's clock, or hitl.ErrNotFound.
func latestCheckpoint(ctx context.Context, q querier) (string, time.Duration, error) {
	rows, err := q.Query(ctx, `
		SELECT note, (extract(epoch FROM clock_timestamp() - at) * 1000000)::bigint FROM hitl.log_checkpoints ORDER BY id DESC LIMIT 1`)
	if err != nil {
		return "", 0, fmt.Errorf("read checkpoint: %w", err)
	}
	type latest struct {
		Note string
		Age  int64
	}
	l, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[latest])
	if errors.Is(err, pgx.ErrNoRows) {
		return "", 0, hitl.ErrNotFound
	}
	if err != nil {
		return "", 0, fmt.Errorf("read checkpoint: %w", err)
	}
	return l.Note, time.Duration(l.Age) * time.Microsecond, nil
}

// LatestCheckpoint returns the last signed checkpoint of the log as a note, or hitl.ErrNotFound.
func (s *Store) LatestCheckpoint(ctx context.Context) (string, error) {
	signed, _, err := latestCheckpoint(ctx, s.pool)
	return signed, err
}
