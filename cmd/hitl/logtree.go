package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	"golang.org/x/mod/sumdb/note"

	"hitl/audit/verify"
	"hitl/config"
)

type logCmd struct {
	Key        logKeyCmd        `cmd:"" help:"Make a key that signs the log's checkpoints."`
	Public     logPublicCmd     `cmd:"" help:"Print the public side of audit.key, for those who verify."`
	Checkpoint logCheckpointCmd `cmd:"" help:"Sign a checkpoint now and print it."`
	Export     logExportCmd     `cmd:"" help:"Write the whole log with its checkpoints, for hitl verify --bundle."`
	Partitions logPartitionsCmd `cmd:"" help:"List the months that the log is kept in."`
	Detach     logDetachCmd     `cmd:"" help:"Take old months out of the log; the tree keeps their hashes."`
}

type logKeyCmd struct {
	Origin string `arg:"" placeholder:"ORIGIN" help:"Name of the log, like log.example.org. It stands in every checkpoint."`
}

// Help is shown by hitl log key --help.
func (logKeyCmd) Help() string {
	return `Prints two lines. The first, PRIVATE+KEY+…, is the value of audit.key: give it to the service through its environment, and keep it from whoever
owns the database. The second is public: those who verify the log need it.`
}

func (c *logKeyCmd) Run(p program) error {
	private, public, err := newLogKey(c.Origin)
	if err != nil {
		return usageError{err}
	}
	_, err = fmt.Fprintf(p.stdout, "%s\n%s\n", private, public)
	return err
}

func newLogKey(origin string) (private, public string, err error) {
	private, public, err = note.GenerateKey(rand.Reader, origin)
	if err == nil {
		_, err = note.NewSigner(private)
	}
	if err != nil {
		return "", "", fmt.Errorf("%q cannot name a log: it may hold no spaces and no plus sign", origin)
	}
	return private, public, nil
}

var errNoLogKey = errors.New("audit.key is empty; `hitl log key ORIGIN` makes one")

type logPublicCmd struct{}

func (logPublicCmd) Run(p program, global *cli) error {
	cfg, err := p.load(global.Config)
	if err != nil {
		return err
	}
	public, err := publicLogKey(cfg)
	if err != nil {
		return err
	}
	if public == "" {
		return usageError{errNoLogKey}
	}
	_, err = fmt.Fprintln(p.stdout, public)
	return err
}

// publicLogKey is the public side of audit.key, empty when there is none.
func publicLogKey(cfg *config.Config) (string, error) {
	if cfg.Audit.Key.IsZero() {
		return "", nil
	}
	_, public, err := verify.VerifierOf(cfg.Audit.Key.Reveal())
	return public, err
}

type logCheckpointCmd struct{}

// Help is shown by hitl log checkpoint --help.
func (logCheckpointCmd) Help() string {
	return `Gives every committed entry its position, signs what the log is now, and prints the checkpoint: a few lines that bind everything before them. Keep
them anywhere that the database's owner cannot reach, and hand them to hitl verify --witness.`
}

func (logCheckpointCmd) Run(ctx context.Context, p program, global *cli) error {
	cfg, store, err := p.openStore(ctx, global)
	if err != nil {
		return err
	}
	defer store.Close()
	if cfg.Audit.Key.IsZero() {
		return usageError{errNoLogKey}
	}
	signed, err := store.Checkpoint(ctx, cfg.Audit.Key.Reveal())
	if err != nil {
		return err
	}
	_, err = io.WriteString(p.stdout, signed)
	return err
}

type logExportCmd struct {
	Output string `short:"o" type:"path" placeholder:"FILE" help:"Write here; it appears when it is complete. Default: standard output."`
}

// Help is shown by hitl log export --help.
func (logExportCmd) Help() string {
	return `Writes JSON lines: every entry in its position and every checkpoint. There is no text and no comment in it, only commitments to them; reviewers'
ids and labels are.`
}

func (c *logExportCmd) Run(ctx context.Context, p program, global *cli) error {
	_, store, err := p.openStore(ctx, global)
	if err != nil {
		return err
	}
	defer store.Close()
	if c.Output == "" {
		_, err = store.WriteBundle(ctx, p.stdout)
		return err
	}
	var entries int64
	if err := writeWhole(c.Output, func(w io.Writer) (err error) {
		entries, err = store.WriteBundle(ctx, w)
		return err
	}); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stderr, "%d entries in %s\n", entries, c.Output)
	return err
}
