package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"hitl"
	"hitl/audit/verify"
)

// shownLog is a log of some entries, as a service would show it.
type shownLog struct {
	entries []verify.Entry
	tree    verify.Tree
	hashes  []tlog.Hash // of leaves
}

func (l *shownLog) add(label string) {
	e := verify.Entry{ID: int64(len(l.entries) + 1), ItemID: "itm_1", Status: string(hitl.HumanReview), Label: label, Context: "{}"}
	h := tlog.RecordHash(e.Leaf())
	l.entries, l.hashes = append(l.entries, e), append(l.hashes, h)
	l.tree.Append(h, nil)
}

func (l *shownLog) checkpoint(t *testing.T, key string) string {
	t.Helper()
	signer, err := note.NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := verify.SignCheckpoint(verify.Checkpoint{Origin: signer.Name(), Size: l.tree.Size(), Root: l.tree.Root()}, signer)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// ServeHTTP serves the log's only tile, whatever width is asked for.
func (l *shownLog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	tile, err := tlog.ParseTilePath(strings.TrimPrefix(r.URL.Path, "/v1/log/"))
	if err != nil || tile.L != 0 || tile.N != 0 || tile.W > len(l.hashes) {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write(verify.JoinHashes(l.hashes[:tile.W]))
}

func TestWitnessSeesForks(t *testing.T) {
	t.Parallel()
	key, verifier, err := newLogKey()
	if err != nil {
		t.Fatal(err)
	}
	strange, _, err := newLogKey()
	if err != nil {
		t.Fatal(err)
	}
	var log, fork shownLog
	for i := range 5 {
		log.add(fmt.Sprint(i))
		fork.add(fmt.Sprint(i % 4)) // the fifth differs
	}
	older, forked, unsigned := log.checkpoint(t, key), fork.checkpoint(t, key), log.checkpoint(t, strange)
	for i := range 7 {
		log.add(fmt.Sprint("later ", i))
		fork.add(fmt.Sprint("later ", i))
	}
	longer := shownLog{tree: *log.tree.Clone()}
	longer.add("beyond")
	server := httptest.NewServer(&log)
	t.Cleanup(server.Close)
	w := newWitness(server.URL, verifier)
	last, err := verify.OpenCheckpoint(log.checkpoint(t, key), verifier)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		signed string
		ok     bool
	}{
		"older":           {older, true},
		"the last":        {log.checkpoint(t, key), true},
		"forked":          {forked, false},
		"of another key":  {unsigned, false},
		"beyond the last": {longer.checkpoint(t, key), false},
	} {
		if err := w.continues(c.signed, last, &httpTiles{t.Context(), w, map[tlog.Tile][]byte{}}); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProven(t *testing.T) {
	t.Parallel()
	key, verifier, err := newLogKey()
	if err != nil {
		t.Fatal(err)
	}
	var log shownLog
	log.add("POSITIVE") // alone, it needs no hashes to prove it
	whole := func() itemLog {
		e := log.entries[0]
		return itemLog{
			Entries: []hitl.Entry{{ID: e.ID, ItemID: e.ItemID, Status: hitl.Status(e.Status), Label: e.Label}},
			Proof:   hitl.LogProof{Checkpoint: log.checkpoint(t, key), Proofs: []hitl.EntryProof{{Entry: e.ID, Leaf: e.Leaf()}}},
		}
	}
	for name, change := range map[string]func(*itemLog){
		"":                func(*itemLog) {},
		"another label":   func(l *itemLog) { l.Entries[0].Label = "NEGATIVE" },
		"another entry":   func(l *itemLog) { l.Entries[0].ID = 7 },
		"no proof":        func(l *itemLog) { l.Proof.Proofs = nil },
		"no entries":      func(l *itemLog) { l.Entries, l.Proof.Proofs = nil, nil },
		"another leaf":    func(l *itemLog) { l.Proof.Proofs[0].Leaf[0]++ },
		"another place":   func(l *itemLog) { l.Proof.Proofs[0].Position = 1 },
		"no checkpoint":   func(l *itemLog) { l.Proof.Checkpoint = "" },
		"of another root": func(l *itemLog) { other := shownLog{}; other.add("x"); l.Proof.Checkpoint = other.checkpoint(t, key) },
	} {
		l := whole()
		change(&l)
		if err := l.proven(verifier); (err == nil) != (name == "") {
			t.Errorf("%q: %v", name, err)
		}
	}
}
