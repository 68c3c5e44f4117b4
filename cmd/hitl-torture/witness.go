package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"hitl/audit/verify"
)

// witness is somebody outside who knows the log's public key, remembers every checkpoint that it was shown, and trusts nothing else.
type witness struct {
	base     string // of the service
	client   *http.Client
	verifier note.Verifier

	mu   sync.Mutex
	seen []string // signed checkpoints, each once, in the order of being shown
	know map[string]bool
}

func newWitness(base string, verifier note.Verifier) *witness {
	return &witness{base: base, client: newClient(8 * time.Second), verifier: verifier, know: map[string]bool{}}
}

// watch asks for the latest checkpoint again and again until ctx ends. That the service does not answer is no finding.
func (w *witness) watch(ctx context.Context) {
	for sleep(ctx, 400*time.Millisecond) == nil {
		_, _ = w.latest(ctx)
	}
}

// latest asks for the latest checkpoint and remembers it.
func (w *witness) latest(ctx context.Context) (string, error) {
	signed, err := w.get(ctx, "/v1/log/checkpoint")
	if err != nil {
		return "", fmt.Errorf("ask for checkpoint: %w", err)
	}
	w.remember(string(signed))
	return string(signed), nil
}

func (w *witness) remember(signed string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.know[signed] {
		w.know[signed], w.seen = true, append(w.seen, signed)
	}
}

// all returns the checkpoints that were shown so far.
func (w *witness) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clip(w.seen)
}

func (w *witness) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.base+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	res, err := w.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err == nil && res.StatusCode != http.StatusOK {
		err = errors.New(res.Status)
	}
	return body, err
}

// continues says how the log of one checkpoint fails to be the beginning of the log of another; nil when it is.
func (w *witness) continues(older string, newer verify.Checkpoint, tiles *httpTiles) error {
	c, err := verify.OpenCheckpoint(older, w.verifier)
	if err != nil {
		return err
	}
	if c.Size > newer.Size {
		return fmt.Errorf("it has %d entries, a later one has %d", c.Size, newer.Size)
	}
	if c.Size == 0 {
		return nil
	}
	tree := tlog.Tree{N: newer.Size, Hash: newer.Root}
	proof, err := tlog.ProveTree(newer.Size, c.Size, tlog.TileHashReader(tree, tiles)) // which checks each tile against the root
	if err != nil {
		return fmt.Errorf("prove that the log of %d entries continues it: %w", newer.Size, err)
	}
	return tlog.CheckTree(proof, newer.Size, newer.Root, c.Size, c.Root)
}

// httpTiles is a tlog.TileReader on the service's tiles. It holds a context because that interface passes none.
type httpTiles struct {
	ctx  context.Context
	w    *witness
	kept map[tlog.Tile][]byte // those that were found to be right
}

// Height implements tlog.TileReader.
func (*httpTiles) Height() int { return verify.TileHeight }

// ReadTiles implements tlog.TileReader.
func (t *httpTiles) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(tiles))
	for i, tile := range tiles {
		if out[i] = t.kept[tile]; out[i] != nil {
			continue
		}
		data, err := t.w.get(t.ctx, "/v1/log/"+tile.Path())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", tile.Path(), err)
		}
		out[i] = data
	}
	return out, nil
}

// SaveTiles implements tlog.TileReader.
func (t *httpTiles) SaveTiles(tiles []tlog.Tile, data [][]byte) {
	for i, tile := range tiles {
		t.kept[tile] = data[i]
	}
}

// checkLog compares the log with what its checkpoints promised: each that was shown, in the storm or with a proof, must be the beginning of the
// last, and the last must hold every entry of every acknowledged item.
func (w *world) checkLog(ctx context.Context, all []*finalItem, r *Report) {
	signed, err := w.witness.latest(ctx)
	if err != nil {
		r.problem("the last checkpoint cannot be had: %v", err)
		return
	}
	last, err := verify.OpenCheckpoint(signed, w.witness.verifier)
	if err != nil {
		r.problem("the last checkpoint: %v", err)
		return
	}
	for _, f := range all {
		if f.Proof.Checkpoint != "" {
			w.witness.remember(f.Proof.Checkpoint)
		}
		if err := f.proven(w.witness.verifier); err != nil {
			r.NotIncluded++
			r.problem("item %s is not in the log of the checkpoint: %v", f.id, err)
		}
	}
	seen := w.witness.all()
	r.Checkpoints, r.LogEntries = len(seen), last.Size
	tiles := &httpTiles{ctx, w.witness, map[tlog.Tile][]byte{}}
	for _, older := range seen {
		if err := w.witness.continues(older, last, tiles); err != nil {
			r.InconsistentCheckpoints++
			r.problem("checkpoint %q: %v", strings.SplitN(older, "\n\n", 2)[0], err)
		}
	}
}

// proven checks that each of the item's entries is in the log of a signed checkpoint, and that what is there is that entry.
func (l itemLog) proven(verifier note.Verifier) error {
	if len(l.Entries) == 0 || len(l.Proof.Proofs) != len(l.Entries) {
		return fmt.Errorf("%d entries have %d proofs", len(l.Entries), len(l.Proof.Proofs))
	}
	byID := map[int64]verify.Entry{}
	for _, p := range l.Proof.Proofs {
		proof := verify.Proof{Position: p.Position, Leaf: p.Leaf, Hashes: p.Hashes}
		if _, err := verify.CheckProof(proof, l.Proof.Checkpoint, verifier); err != nil {
			return err
		}
		leaf, err := verify.ParseLeaf(p.Leaf)
		if err != nil {
			return err
		}
		byID[leaf.ID] = leaf
	}
	for _, e := range l.Entries {
		leaf, ok := byID[e.ID]
		if !ok || leaf.ItemID != e.ItemID || leaf.Status != string(e.Status) || leaf.Label != e.Label || leaf.Reviewer != e.Reviewer {
			return fmt.Errorf("entry %d of %s is not what its leaf says", e.ID, e.Status)
		}
	}
	return nil
}
