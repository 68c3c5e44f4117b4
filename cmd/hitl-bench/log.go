package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"runtime"

	"golang.org/x/mod/sumdb/note"

	"hitl/audit/verify"
)

// openVerify holds the verification of a log, from its entries to the signed root, against nothing but SHA-256 of the same bytes, on one core each.
// Reading the log from Postgres is not in it.
func openVerify(_ context.Context, b *bench) (*pair, error) {
	private, err := newLogKey()
	if err != nil {
		return nil, err
	}
	key, _, err := verify.VerifierOf(private)
	if err != nil {
		return nil, err
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		return nil, err
	}
	n := b.size(200_000, 20_000)
	lines, leaves, size := make([]verify.Line, n), make([][]byte, n), 0
	var tree verify.Tree
	for i := range lines {
		e := logEntry(i)
		h := e.Hash()
		leaf, tile := h, h // as kept beside the position, and in the tree
		lines[i] = verify.Line{Position: int64(i), LogID: e.ID, Entry: &e, Leaf: &leaf, Tile: &tile}
		leaves[i] = e.Leaf()
		size += len(leaves[i])
		tree.Append(h, nil)
	}
	signed, err := verify.SignCheckpoint(verify.Checkpoint{Size: int64(n), Root: tree.Root()}, signer)
	if err != nil {
		return nil, err
	}
	return &pair{
		unit: "entries/s",
		ours: onOneCore(n, func() error {
			v := verify.New(key)
			for _, l := range lines {
				v.Line(l)
			}
			v.Checkpoint(signed, int64(n))
			if r := v.Finish(); !r.OK() || r.Entries != int64(n) {
				return fmt.Errorf("a good log is found wrong: %+v", r)
			}
			return nil
		}),
		peer: onOneCore(n, func() error {
			for _, leaf := range leaves {
				sha256.Sum256(leaf)
			}
			return nil
		}),
		note: func() string { return fmt.Sprintf("%d entries of %d bytes in the mean", n, size/n) },
	}, nil
}

// logEntry is an entry as items leave it.
func logEntry(i int) verify.Entry {
	const hash = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	ref := sha256.Sum256([]byte{byte(i), byte(i >> 8), byte(i >> 16)})
	return verify.Entry{
		ID: int64(i + 1), ItemID: fmt.Sprintf("itm_%026d", i), At: int64(i) * 1_000_000, Status: "AI_ACCEPTED", TextRef: ref[:], AILabel: "POSITIVE",
		Confidence: 0.97, Label: "POSITIVE", Model: hash, Policy: hash, Tx: uint64(700 + i/64),
		Context: `{"source": "mail", "classifier": "mood", "threshold": 0.85, "inclusion": 0.01}`,
	}
}

// onOneCore is a side that does n things on one core.
func onOneCore(n int, do func() error) side {
	return func(ctx context.Context) (float64, error) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		return perSecond(n, func(context.Context) error { return do() })(ctx)
	}
}
