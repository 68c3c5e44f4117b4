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
	Item      string        `xor:"what" placeholder:"ID" help:"Check the entries of one item only."`
	URL       string        `name:"url" xor:"where" placeholder:"URL" help:"Check a running service over HTTP. Needs neither database nor configuration."`
	Bundle    string        `xor:"what,where" type:"existingfile" placeholder:"FILE" help:"Check what hitl log export wrote. Needs no database."`
	Proof     string        `xor:"what,where" type:"existingfile" placeholder:"FILE" help:"Check what GET /v1/items/{id}/log answered. Needs no database."`
	Key       string        `env:"HITL_LOG_PUBLIC_KEY" placeholder:"KEY" help:"The log's public key. Default: the one in the state file, else that of audit.key."`
	OldKey    []string      `placeholder:"KEY" help:"A key that signed the log before it was changed; may be given several times."`
	State     string        `type:"path" placeholder:"FILE" help:"Remember the last checkpoint and the key here, and hold the log to them next time."`
	Witness   string        `type:"path" placeholder:"FILE" help:"Hold the log to the checkpoints in this file or folder, which were kept where the database's owner could not change them. They are found in copied chat messages and JSON, too."`
	BearerKey string        `env:"HITL_API_KEY" placeholder:"KEY" help:"The API's key of the item's source, for --url with --item."`
	Timeout   time.Duration `default:"30s" help:"How long one answer of the service may take, with --url (default ${default})."`
	JSON      bool          `name:"json" help:"Print the findings as JSON."`
}

// Help is shown by hitl verify --help.
func (verifyCmd) Help() string {
	return `Encodes and hashes every entry again, builds the Merkle tree over them, and compares it with every signed checkpoint. It names each entry that was altered,
is missing, or was added. With the database it goes on to compare items, kept texts, decisions and comments with what the log says of them: RECORD names
what differs. Exit code 0: nothing was. 1: something was, or it could not be checked to the end.

With --url there are only hashes to be seen: it builds the tree again from the service's tiles, and says whether it is the signed one. What an entry says,
--item shows to whoever has the key of its source.

What the key's owner signs again, only a checkpoint that was kept elsewhere can contradict: use --state, always on the same machine, or --witness.`
}

func (c *verifyCmd) Run(ctx context.Context, p program, global *cli) error {
	state, err := readVerifyState(c.State)
	if err != nil {
		return err
	}
	var store *audit.Store
	var remote *remoteLog
	key := c.Key
	if key == "" {
		key = state.Key
	}
	switch {
	case c.URL != "":
		if remote, err = newRemoteLog(c.URL, c.BearerKey, c.Timeout); err != nil {
			return err
		}
		defer remote.close()
		switch {
		case c.Timeout <= 0:
			return usageError{errors.New("--timeout must be more than nothing")}
		case c.Item != "" && c.BearerKey == "":
			return usageError{errors.New("--item with --url needs the API's key of the item's source: give --bearer-key, or set HITL_API_KEY")}
		}
	case c.Bundle == "" && c.Proof == "":
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
	case c.URL != "" && c.Item != "":
		latest, err = check.remoteItem(ctx, remote)
	case c.URL != "":
		latest, err = check.remote(ctx, remote)
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
	var report verify.Report
	var readErr error
	if store != nil {
		readErr = store.VerifyLog(ctx, v)
		report = v.Finish()
		readErr = errors.Join(readErr, store.VerifyRecord(ctx, &report))
	} else {
		f, err := os.Open(c.cmd.Bundle)
		if err != nil {
			return "", err
		}
		readErr = errors.Join(verify.ReadBundle(f, v), f.Close())
		report = v.Finish()
	}
	return c.conclude(report, readErr, "nothing was altered, removed or added")
}

// conclude prints a report and returns the checkpoint to remember. readErr says that the log was not seen to its end, good what it means
// that nothing was found.
func (c verification) conclude(r verify.Report, readErr error, good string) (string, error) {
	if readErr != nil {
		good = ""
	}
	if readErr == nil || c.cmd.JSON || r.Entries > 0 || !r.OK() {
		if err := c.print(r, good); err != nil {
			return "", err
		}
	}
	if readErr != nil {
		return "", fmt.Errorf("the log could not be checked to its end: %w", readErr)
	}
	if !r.OK() {
		return "", fmt.Errorf("the log is not what it was: %d findings", len(r.Problems)+r.More)
	}
	return r.Latest, nil
}

func (c verification) print(r verify.Report, good string) error {
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
	if r.Detached > 0 {
		fmt.Fprintf(&b, "\n%d entries of %s are detached, as the log says: their hashes hold the tree, their contents were not looked at",
			r.Detached, strings.Join(r.DetachedFrom, ", "))
	}
	if r.Uncompared > 0 {
		fmt.Fprintf(&b, "\n%s of detached months compared with nothing", plural(int(r.Uncompared), "record"))
	}
	if r.Items > 0 {
		fmt.Fprintf(&b, "\n%s and %s compared with them", plural(int(r.Items), "item"), plural(int(r.Decisions), "decision"))
	}
	if r.OK() && good != "" {
		b.WriteString("\n" + good)
	}
	_, err := fmt.Fprintln(c.p.stdout, b.String())
	return err
}

// item checks the entries of one item in the database.
func (c verification) item(ctx context.Context, store *audit.Store) (string, error) {
	entries, err := store.Log(ctx, c.cmd.Item)
	if errors.Is(err, hitl.ErrNotFound) {
		return "", fmt.Errorf("the log has no entry of item %s: %w", c.cmd.Item, err)
	}
	if err != nil {
		return "", err
	}
	proof, err := store.Prove(ctx, c.cmd.Item)
	if err != nil {
		return "", fmt.Errorf("the tree does not fit its checkpoint; check the whole log: %w", err)
	}
	latest, err := c.proofs(verify.ItemLog{Entries: entries, Proof: proof}, c.cmd.Item)
	if err != nil {
		return "", err
	}
	for _, s := range c.seen {
		if err := store.Extends(ctx, latest, s.Checkpoint); err != nil {
			return "", fmt.Errorf("the checkpoint %s: %w", s.Where, err)
		}
	}
	return proof.Checkpoint, nil
}

// proofFile checks an answer of the API.
func (c verification) proofFile() error {
	data, err := os.ReadFile(c.cmd.Proof)
	if err != nil {
		return err
	}
	var answer verify.ItemLog
	if err := json.Unmarshal(data, &answer); err != nil {
		return fmt.Errorf("read %s: %w", c.cmd.Proof, err)
	}
	latest, err := c.proofs(answer, "")
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

// proofs checks what is said and proven of an item, whichever if itemID is empty, and prints the entries that the leaves hold.
func (c verification) proofs(answer verify.ItemLog, itemID string) (verify.Checkpoint, error) {
	latest, proven, pending, err := answer.Check(c.verifier)
	if err != nil {
		return latest, err
	}
	var b strings.Builder
	for _, p := range proven {
		row := p.Entry
		if itemID != "" && row.ItemID != itemID {
			return latest, fmt.Errorf("entry %d is of item %q, not of %q", row.ID, row.ItemID, itemID)
		}
		label := row.Label
		if row.Reviewer != "" {
			label += " by " + row.Reviewer
		}
		fmt.Fprintf(&b, "entry %d at position %d of %d is in the log: %s %s %s %q\n", row.ID, p.Position, latest.Size,
			time.UnixMicro(row.At).UTC().Format(time.RFC3339), printable(row.ItemID), printable(row.Status), label)
	}
	if n := len(pending); n > 0 {
		fmt.Fprintf(&b, "%d more wait for the next checkpoint: nothing proves them yet\n", n)
	}
	_, err = fmt.Fprint(c.p.stdout, b.String())
	return latest, err
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
