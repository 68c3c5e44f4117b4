package main

import (
	"net/http"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// proveAsTorchwood proves an item's entries with a client of c2sp.org/tlog-tiles that knows nothing of us: its checkpoint parser, its fetcher,
// its names of tiles.
func (w *world) proveAsTorchwood(public string, it item) {
	w.t.Helper()
	fetcher, err := torchwood.NewTileFetcher(w.url+"/v1/log", torchwood.WithHTTPClient(http.DefaultClient))
	if err != nil {
		w.t.Fatal(err)
	}
	signed, err := fetcher.ReadEndpoint(w.t.Context(), "checkpoint")
	if err != nil {
		w.t.Fatal(err)
	}
	verifier, err := note.NewVerifier(public)
	if err != nil {
		w.t.Fatal(err)
	}
	n, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := torchwood.ParseCheckpoint(n.Text)
	if err != nil || c.Origin != verifier.Name() {
		w.t.Fatalf("%+v, %v", c, err)
	}
	reader := torchwood.TileHashReaderWithContext(w.t.Context(), c.Tree, fetcher)
	for _, p := range w.proofs(it) {
		proof, err := tlog.ProveRecord(c.N, p.Position, reader)
		if err == nil {
			err = tlog.CheckRecord(proof, c.N, c.Hash, p.Position, tlog.RecordHash(p.Leaf))
		}
		if err != nil {
			w.t.Errorf("position %d: %v", p.Position, err)
		}
	}
}
