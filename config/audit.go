package config

import (
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Audit is how an outsider can check the log.
type Audit struct {
	// Key signs the log's checkpoints, "PRIVATE+KEY+…"; `hitl log key ORIGIN` makes one. Empty: nothing is signed, and who owns the database
	// could rewrite the log.
	Key Secret `yaml:"key"`
	// CheckpointEvery is the least time between two checkpoints. What is younger than the last one is not yet bound.
	CheckpointEvery time.Duration `yaml:"checkpoint_every" default:"1m" min:"1s"`
	// AnchorDir is a folder that each checkpoint is written to, a file each; on a bucket with object lock it binds the database's
	// owner too. Empty: checkpoints are kept in Postgres only.
	AnchorDir string `yaml:"anchor_dir"`
}

func (a Audit) validate(ps *problems) {
	if a.Key.IsZero() {
		if a.AnchorDir != "" {
			ps.add("audit.anchor_dir", "has a meaning with audit.key only")
		}
		return
	}
	if _, err := note.NewSigner(a.Key.Reveal()); err != nil { // the error itself says nothing more
		ps.add("audit.key", "is no private key; `hitl log key ORIGIN` makes one")
	}
}
