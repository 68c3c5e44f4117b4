package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"hitl/audit"
	"hitl/audit/verify"
)

// sequence extends the log's Merkle tree and signs its checkpoints.
func (s *service) sequence(ctx context.Context) error {
	return s.store.Sequence(ctx, audit.SequenceConfig{
		Key: s.cfg.Audit.Key.Reveal(), CheckpointEvery: s.cfg.Audit.CheckpointEvery, Anchors: s.anchors(), Anchored: s.metrics.anchored,
	})
}

// folderAnchor keeps each checkpoint in a file of its own, which is never touched again: buckets with object lock are written so.
type folderAnchor string

// Name implements audit.Anchor.
func (folderAnchor) Name() string { return "folder" }

// Keep implements audit.Anchor. A checkpoint that is there already is fine.
func (a folderAnchor) Keep(_ context.Context, signed string) (err error) {
	c, err := verify.OpenCheckpoint(signed, nil)
	if err != nil {
		return err
	}
	// Two logs that claim one size are two files: each is evidence.
	sum := sha256.Sum256([]byte(signed))
	path := filepath.Join(string(a), fmt.Sprintf("checkpoint-%015d-%x.note", c.Size, sum[:4]))
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // checkpoints are public
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.WriteString(signed); err != nil {
		return err
	}
	return f.Sync()
}
