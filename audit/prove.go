package audit

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"

	"hitl"
	"hitl/audit/verify"
)

// Prove returns the proofs that an item's log entries, those that Log returns, are in the log of the latest checkpoint, oldest first; entries that are newer
// than the checkpoint have none yet. Nothing is signed here, and the checkpoint's signature is not checked.
func (s *Store) Prove(ctx context.Context, itemID string) (hitl.LogProof, error) {
	proof := hitl.LogProof{Proofs: []hitl.EntryProof{}}
	signed, err := s.LatestCheckpoint(ctx)
	if errors.Is(err, hitl.ErrNotFound) {
		return proof, nil
	}
	if err != nil {
		return proof, err
	}
	proof.Checkpoint = signed
	c, err := verify.OpenCheckpoint(signed, nil)
	if err != nil {
		return proof, fmt.Errorf("read checkpoint: %w", err)
	}
	rows, err := s.pool.Query(ctx, `
		SELECT p.position, `+entryColumns+` FROM hitl.log l JOIN hitl.log_positions p ON p.log_id = l.id
		WHERE l.item_id = $1 AND p.position < $2 AND NOT `+sealed+` ORDER BY p.position`, itemID, c.Size)
	if err != nil {
		return proof, fmt.Errorf("read entries: %w", err)
	}
	proof.Proofs, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (hitl.EntryProof, error) {
		var r logRow
		var p hitl.EntryProof
		err := row.Scan(append([]any{&p.Position}, r.into()...)...)
		p.Entry, p.Leaf = orZero(r.id), r.entry().Leaf()
		return p, err
	})
	if err != nil {
		return proof, fmt.Errorf("read entries: %w", err)
	}
	reader := treeReader(ctx, s.pool, c)
	for i := range proof.Proofs {
		p := &proof.Proofs[i]
		path, err := tlog.ProveRecord(c.Size, p.Position, reader)
		if err != nil {
			return proof, fmt.Errorf("prove entry %d: %w", p.Entry, err)
		}
		p.Hashes = make([][]byte, len(path))
		for j, h := range path {
			p.Hashes[j] = h[:]
		}
	}
	return proof, nil
}

// Extends checks that the log of an older checkpoint is the beginning of the log of a newer one, as the tree in the database has it. Both
// are trusted; the tiles are not.
func (s *Store) Extends(ctx context.Context, newer, older verify.Checkpoint) error {
	return verify.CheckExtends(newer, older, tileReader{ctx, s.pool})
}
