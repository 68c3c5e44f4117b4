package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"hitl"
	"hitl/audit/verify"
)

// An outsider checks the log: what the service signs, anchors and serves is good until somebody with every right on the database touches it.
func TestLogIsChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	keys := strings.Fields(w.mustHitl("log", "key", "log.example.org"))
	private, public := keys[0], keys[1]
	anchors := filepath.Join(w.dir, "anchors")
	if err := os.Mkdir(anchors, 0o700); err != nil {
		t.Fatal(err)
	}
	w.appendConfig("audit: {key: \"" + private + "\", checkpoint_every: 1s, anchor_dir: \"" + anchors + "\"}\n")
	if got := w.mustHitl("log", "public"); strings.TrimSpace(got) != public {
		t.Errorf("public key %q, want %q", got, public)
	}
	it := w.post("a", "I love it", http.StatusOK)
	w.post("b", "I want a refund", http.StatusAccepted)

	// The service signs by itself, serves what it signed, and anchors it.
	var served answer
	w.eventually("the service signed both entries", func() bool {
		served = w.request(http.MethodGet, "/v1/log/checkpoint", nil, nil)
		return served.status == http.StatusOK && strings.HasPrefix(string(served.body), "log.example.org\n2\n")
	})
	w.eventually("it is anchored", func() bool {
		files, err := filepath.Glob(filepath.Join(anchors, "checkpoint-000000000000002-*.note"))
		return err == nil && len(files) == 1
	})
	w.checkTiles(served.body, public)

	state := filepath.Join(w.dir, "state.json")
	out := w.mustHitl("verify", "--state", state, "--witness", anchors)
	if !strings.Contains(out, "2 entries, 2 of them bound by") || !strings.Contains(out, "nothing was altered") {
		t.Errorf("verify printed %q", out)
	}
	out = w.mustHitl("verify", "--item", it.ID, "--state", state)
	if !strings.Contains(out, "of 2 is in the log") || !strings.Contains(out, it.ID+" AI_ACCEPTED") {
		t.Errorf("verify --item printed %q", out)
	}

	// Without any database: the answer of the API, and a bundle.
	proof := filepath.Join(w.dir, "proof.json")
	if err := os.WriteFile(proof, w.request(http.MethodGet, "/v1/items/"+it.ID+"/log", nil, nil).body, 0o600); err != nil {
		t.Fatal(err)
	}
	bundle := filepath.Join(w.dir, "log.jsonl")
	w.mustHitl("log", "export", "-o", bundle)
	for _, args := range [][]string{{"--proof", proof, "--key", public}, {"--bundle", bundle, "--key", public, "--state", state, "--witness", anchors}} {
		offline := append([]string{"--config", "/nonexistent", "verify"}, args...)
		if out, err := w.hitl(offline...); err != nil {
			t.Errorf("hitl %v: %v, %s", offline, err, out)
		}
	}
	other := strings.Fields(w.mustHitl("log", "key", "log.example.org"))[1]
	for name, args := range map[string][]string{
		"bundle, another key":       {"--bundle", bundle, "--key", other},
		"proof, another key":        {"--proof", proof, "--key", other},
		"bundle, no key":            {"--bundle", bundle},
		"a key that is none":        {"--bundle", bundle, "--key", "x"},
		"state, another key":        {"--state", state, "--key", other},
		"an item that never was":    {"--item", "itm_none"},
		"a witness that is not one": {"--witness", w.configFile()},
	} {
		if out, err := w.hitl(append([]string{"verify"}, args...)...); err == nil {
			t.Errorf("%s: no error, printed %s", name, out)
		}
	}

	// Somebody with every right takes back the newest entry and its traces, then alters the other one.
	w.asSuperuser(`DELETE FROM hitl.log WHERE id = (SELECT max(id) FROM hitl.log); DELETE FROM hitl.log_positions WHERE position = 1;
		DELETE FROM hitl.log_checkpoints; UPDATE hitl.log_tiles SET data = substring(data FOR 32); UPDATE hitl.log_tree SET size = 1`)
	for _, args := range [][]string{{"--state", state}, {"--witness", anchors}} {
		out, err := w.hitl(append([]string{"verify"}, args...)...)
		if err == nil || !strings.Contains(out, "the log was cut: it has 1 entries") || !strings.Contains(out, "positions 1 to 1 are missing") {
			t.Errorf("verify %v after the cut: %v, printed %s", args, err, out)
		}
	}
	w.asSuperuser(`UPDATE hitl.log SET label = 'NEGATIVE'`)
	out, err := w.hitl("verify", "--json")
	var report verify.Report
	if err == nil || json.Unmarshal([]byte(out), &report) != nil || len(report.Problems) == 0 || report.Problems[0].Position != 0 {
		t.Errorf("verify after the change: %v, printed %s", err, out)
	}
}

// appendConfig adds to the configuration and starts the service again.
func (w *world) appendConfig(text string) {
	w.t.Helper()
	w.stop()
	f, err := os.OpenFile(w.configFile(), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		w.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.start()
}

// asSuperuser stops the service and changes what no trigger lets change.
func (w *world) asSuperuser(sql string) {
	w.t.Helper()
	w.stop()
	conn, err := pgx.Connect(w.t.Context(), w.owner)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = conn.Close(w.t.Context()) }()
	for _, table := range []string{"log", "log_positions", "log_tiles", "log_tree", "log_checkpoints"} {
		sql = `ALTER TABLE hitl.` + table + ` DISABLE TRIGGER ALL; ` + sql
	}
	if _, err := conn.Exec(w.t.Context(), sql); err != nil {
		w.t.Fatal(err)
	}
}

// checkTiles proves both entries with nothing but a checkpoint and tiles that were served, as clients of transparency logs do.
func (w *world) checkTiles(signed []byte, public string) {
	w.t.Helper()
	verifier, err := note.NewVerifier(public)
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := verify.OpenCheckpoint(string(signed), verifier)
	if err != nil {
		w.t.Fatal(err)
	}
	reader := tlog.TileHashReader(tlog.Tree{N: c.Size, Hash: c.Root}, servedTiles{w})
	for position := range c.Size {
		if _, err := tlog.ProveRecord(c.Size, position, reader); err != nil {
			w.t.Errorf("position %d: %v", position, err)
		}
	}
}

type servedTiles struct{ w *world }

func (servedTiles) Height() int { return 8 }

func (s servedTiles) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(tiles))
	for i, tile := range tiles {
		// No key is sent: these are public.
		a := s.w.requestWith(http.MethodGet, "/v1/log/"+tile.Path(), nil, nil, nil)
		if a.status != http.StatusOK {
			return nil, hitl.ErrNotFound
		}
		out[i] = a.body
	}
	return out, nil
}

func (servedTiles) SaveTiles([]tlog.Tile, [][]byte) {}
