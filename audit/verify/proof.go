package verify

import (
	"fmt"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Proof shows that a leaf is in the log of a checkpoint.
type Proof struct {
	Position int64
	Leaf     []byte
	Hashes   [][]byte // from the leaf up, as RFC 6962 orders an audit path
}

// CheckProof says whether a proof holds for a signed checkpoint, which it returns.
func CheckProof(p Proof, signed string, verifier note.Verifier) (Checkpoint, error) {
	c, err := OpenCheckpoint(signed, verifier)
	if err != nil {
		return c, fmt.Errorf("checkpoint: %w", err)
	}
	path := make(tlog.RecordProof, len(p.Hashes))
	for i, h := range p.Hashes {
		if copy(path[i][:], h) != tlog.HashSize || len(h) != tlog.HashSize {
			return c, fmt.Errorf("hash %d of the proof has %d bytes", i, len(h))
		}
	}
	if p.Position < 0 || p.Position >= c.Size {
		return c, fmt.Errorf("position %d is not in a log of %d entries", p.Position, c.Size)
	}
	if err := tlog.CheckRecord(path, c.Size, c.Root, p.Position, tlog.RecordHash(p.Leaf)); err != nil {
		return c, fmt.Errorf("the entry at position %d is not in the log of the checkpoint: %w", p.Position, err)
	}
	return c, nil
}
