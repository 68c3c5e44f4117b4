package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"hitl"
	"hitl/audit"
	"hitl/audit/verify"
)

type verifyCmd struct {
	Item    string   `xor:"what" placeholder:"ID" help:"Check the entries of one item only."`
	Bundle  string   `xor:"what" type:"existingfile" placeholder:"FILE" help:"Check what hitl log export wrote. Needs no database."`
	Proof   string   `xor:"what" type:"existingfile" placeholder:"FILE" help:"Check what GET /v1/items/{id}/log answered. Needs no database."`
	Key     string   `env:"HITL_LOG_PUBLIC_KEY" placeholder:"KEY" help:"The log's public key. Default: the one in the state file, else that of audit.key."`
	OldKey  []string `placeholder:"KEY" help:"A key that signed the log before it was changed; may be given several times."`
	State   string   `type:"path" placeholder:"FILE" help:"Remember the last checkpoint and the key here, and hold the log to them next time."`
	Witness string   `type:"path" placeholder:"FILE" help:"Hold the log to the checkpoints in this file or folder, which were kept where the database's owner could not change them."`
	JSON    bool     `name:"json" help:"Print the findings as JSON."`
}

// Help is shown by hitl verify --help.
func (verifyCmd) Help() string {
	return `Encodes and hashes every entry again, builds the Merkle tree over them, and compares it with every signed checkpoint. It names each entry that was altered,
is missing, or was added. Exit code 0: nothing was. 1: something was, or it could not be checked to the end.

What the key's owner signs again, only a checkpoint that was kept elsewhere can contradict: use --state, always on the same machine, or --witness.`
}

func (c *verifyCmd) Run(ctx context.Context, p program, global *cli) error {
	state, err := readVerifyState(c.State)
	if err != nil {
		return err
	}
	var store *audit.Store
	key := c.Key
	if key == "" {
		key = state.Key
	}
	if c.Bundle == "" && c.Proof == "" {
		cfg, opened, err := p.openStore(ctx, global)
		if err != nil {
			return err
		}
		defer opened.Close()
		store = opened
		if key == "" {
			if key, err = publicLogKey(cfg); err != nil {
				return err
			}
		}
	}
	if key == "" {
		return usageError{errors.New("there is no key to check signatures with: give --key, the second line of what `hitl log key` printed")}
	}
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return usageError{errors.New("--key is no public key of a log: it has the form ORIGIN+HASH+BASE64")}
	}
	former := make([]note.Verifier, len(c.OldKey))
	for i, old := range c.OldKey {
		if former[i], err = note.NewVerifier(old); err != nil {
			return usageError{errors.New("--old-key is no public key of a log")}
		}
	}
	if state.Key != "" && state.Key != key && !slices.Contains(c.OldKey, state.Key) {
		return fmt.Errorf("%s remembers another key of the log, %s; if the key was changed on purpose, name it with --old-key", c.State, state.Key)
	}
	seen, err := c.seen(state, append([]note.Verifier{verifier}, former...))
	if err != nil {
		return err
	}
	check := verification{p: p, cmd: c, verifier: verifier, former: former, seen: seen}
	var latest string
	switch {
	case c.Item != "":
		latest, err = check.item(ctx, store)
	case c.Proof != "":
		err = check.proofFile() // nothing says that its checkpoint continues the last: it is not to be remembered
	default:
		latest, err = check.whole(ctx, store)
	}
	if err != nil {
		return err
	}
	return state.remember(c.State, key, latest)
}

// seen are the checkpoints that the log must fit.
func (c *verifyCmd) seen(state verifyState, keys []note.Verifier) ([]verify.Seen, error) {
	var seen []verify.Seen
	if state.Checkpoint != "" {
		remembered, err := verify.ReadWitness(state.Checkpoint, c.State, keys...)
		if err != nil {
			return nil, err
		}
		seen = remembered
	}
	if c.Witness == "" {
		return seen, nil
	}
	text, err := readWitness(c.Witness)
	if err != nil {
		return nil, err
	}
	witnessed, err := verify.ReadWitness(text, c.Witness, keys...)
	return append(seen, witnessed...), err
}

// readWitness returns a file, or all notes of a folder.
func readWitness(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	files := []string{path}
	if info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(path, "*.note")); err != nil {
			return "", err
		}
	}
	var all strings.Builder
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		all.Write(data)
		all.WriteByte('\n')
	}
	return all.String(), nil
}

// verification is one run of the command.
type verification struct {
	p        program
	cmd      *verifyCmd
	verifier note.Verifier
	former   []note.Verifier
	seen     []verify.Seen
}

// whole checks a whole log and returns its latest checkpoint.
func (c verification) whole(ctx context.Context, store *audit.Store) (string, error) {
	v := verify.New(c.verifier, c.seen...)
	v.Former(c.former...)
	var readErr error
	if store != nil {
		readErr = store.VerifyLog(ctx, v)
	} else {
		f, err := os.Open(c.cmd.Bundle)
		if err != nil {
			return "", err
		}
		readErr = errors.Join(verify.ReadBundle(f, v), f.Close())
	}
	report := v.Finish()
	if err := c.print(report); err != nil {
		return "", err
	}
	if readErr != nil {
		return "", fmt.Errorf("the log could not be checked to its end: %w", readErr)
	}
	if !report.OK() {
		return "", fmt.Errorf("the log is not what it was: %d findings", len(report.Problems)+report.More)
	}
	return report.Latest, nil
}

func (c verification) print(r verify.Report) error {
	if c.cmd.JSON {
		enc := json.NewEncoder(c.p.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	}
	var b strings.Builder
	for _, problem := range r.Problems {
		fmt.Fprintf(&b, "%-10s %s\n", strings.ToUpper(string(problem.Kind)), problem.Text)
	}
	if r.More > 0 {
		fmt.Fprintf(&b, "and %d more\n", r.More)
	}
	fmt.Fprintf(&b, "%d entries, %d of them bound by %d checkpoints of %s+%08x", r.Entries, r.Signed, r.Checkpoints, c.verifier.Name(), c.verifier.KeyHash())
	if r.Pending > 0 {
		fmt.Fprintf(&b, "; %d more wait for their position", r.Pending)
	}
	if r.OK() {
		b.WriteString("\nnothing was altered, removed or added")
	}
	_, err := fmt.Fprintln(c.p.stdout, b.String())
	return err
}

// item checks the entries of one item in the database.
func (c verification) item(ctx context.Context, store *audit.Store) (string, error) {
	entries, err := store.Log(ctx, c.cmd.Item)
	if errors.Is(err, hitl.ErrNotFound) {
		return "", fmt.Errorf("the log has no entry of item %s", c.cmd.Item)
	}
	if err != nil {
		return "", err
	}
	proof, err := store.Prove(ctx, c.cmd.Item)
	if err != nil {
		return "", fmt.Errorf("the tree does not fit its checkpoint; check the whole log: %w", err)
	}
	latest, err := c.proofs(proof)
	if err != nil {
		return "", err
	}
	for _, s := range c.seen {
		if err := store.Extends(ctx, latest, s.Checkpoint); err != nil {
			return "", fmt.Errorf("the checkpoint %s: %w", s.Where, err)
		}
	}
	if n := len(entries) - len(proof.Proofs); n > 0 {
		_, err = fmt.Fprintf(c.p.stdout, "%d more wait for the next checkpoint\n", n)
	}
	return proof.Checkpoint, err
}

// proofFile checks an answer of the API.
func (c verification) proofFile() error {
	data, err := os.ReadFile(c.cmd.Proof)
	if err != nil {
		return err
	}
	var answer struct {
		Proof hitl.LogProof `json:"proof"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return fmt.Errorf("read %s: %w", c.cmd.Proof, err)
	}
	latest, err := c.proofs(answer.Proof)
	if err != nil {
		return err
	}
	for _, s := range c.seen {
		if s.Size == latest.Size && s.Root != latest.Root {
			return fmt.Errorf("the log was forked: the checkpoint %s is another one of size %d", s.Where, s.Size)
		}
	}
	return nil
}

// proofs checks each proof and prints the entry that its leaf holds.
func (c verification) proofs(proof hitl.LogProof) (verify.Checkpoint, error) {
	if proof.Checkpoint == "" {
		return verify.Checkpoint{}, errors.New("nothing is signed yet")
	}
	latest, err := verify.OpenCheckpoint(proof.Checkpoint, c.verifier)
	if err != nil {
		return latest, fmt.Errorf("checkpoint: %w", err)
	}
	for _, e := range proof.Proofs {
		if _, err := verify.CheckProof(verify.Proof{Position: e.Position, Leaf: e.Leaf, Hashes: e.Hashes}, proof.Checkpoint, c.verifier); err != nil {
			return latest, fmt.Errorf("entry %d was altered: %w", e.Entry, err)
		}
		row, err := verify.ParseLeaf(e.Leaf)
		if err != nil {
			return latest, fmt.Errorf("leaf of entry %d: %w", e.Entry, err)
		}
		label := row.Label
		if row.Reviewer != "" {
			label += " by " + row.Reviewer
		}
		if _, err := fmt.Fprintf(c.p.stdout, "entry %d at position %d of %d is in the log: %s %s %s %q\n", row.ID, e.Position, latest.Size,
			time.UnixMicro(row.At).UTC().Format(time.RFC3339), row.ItemID, row.Status, label); err != nil {
			return latest, err
		}
	}
	return latest, nil
}

// verifyState is what --state keeps.
type verifyState struct {
	Key        string `json:"key"`
	Checkpoint string `json:"checkpoint"`
}

func readVerifyState(path string) (verifyState, error) {
	var s verifyState
	if path == "" {
		return s, nil
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(data, &s); err != nil || s.Key == "" {
		return s, fmt.Errorf("%s is no state of hitl verify", path)
	}
	return s, nil
}

// remember replaces the checkpoint by one that was found to continue it.
func (s verifyState) remember(path, key, signed string) error {
	if path == "" || signed == "" {
		return nil
	}
	return writeWhole(path, func(w io.Writer) error {
		return json.NewEncoder(w).Encode(verifyState{Key: key, Checkpoint: signed})
	})
}
