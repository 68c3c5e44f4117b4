package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"hitl/audit/verify"
)

// hitl runs the built binary beside the replicas, with the configuration of one.
func (w *world) hitl(ctx context.Context, args ...string) (stdout []byte, err error) {
	r := w.replicas[0]
	cmd := exec.CommandContext(ctx, r.bin, append([]string{"--config", r.conf}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("hitl %s: %w\n%s", strings.Join(args, " "), err, &stderr)
	}
	return out, err
}

// checkCommands lets the service's own commands say what they find: `hitl verify`, held to every checkpoint that was shown, and what `hitl
// export` writes, which is every item that there is.
func (w *world) checkCommands(ctx context.Context, r *Report) {
	if err := w.checkVerify(ctx, r); err != nil {
		r.problem("%v", err)
	}
	if err := w.checkExport(ctx, r); err != nil {
		r.problem("%v", err)
	}
}

func (w *world) checkVerify(ctx context.Context, r *Report) error {
	shown := filepath.Join(w.dir, "checkpoints")
	if err := os.WriteFile(shown, []byte(strings.Join(w.witness.all(), "\n")), 0o600); err != nil {
		return fmt.Errorf("keep checkpoints: %w", err)
	}
	out, failed := w.hitl(ctx, "verify", "--json", "--witness", shown)
	var found verify.Report
	if err := json.Unmarshal(out, &found); err != nil {
		return fmt.Errorf("read what hitl verify found: %w; %w", err, failed)
	}
	for _, p := range found.Problems {
		r.VerifyFindings++
		r.problem("hitl verify: %s: %s", p.Kind, p.Text)
	}
	return failed
}

// checkExport compares the service's own list of items with ours: each acknowledged one once, under its id, and no other than those whose
// submission nobody learned the outcome of.
func (w *world) checkExport(ctx context.Context, r *Report) error {
	out, err := w.hitl(ctx, "export", "items", "--format", "jsonl")
	if err != nil {
		return err
	}
	there := map[key][]string{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var row struct {
			ID         string `json:"item_id"`
			Source     string `json:"source"`
			ExternalID string `json:"external_id"`
		}
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil || row.ID == "" {
			return fmt.Errorf("read exported item %q: %w", lines.Text(), err)
		}
		k := key{row.Source, row.ExternalID}
		there[k] = append(there[k], row.ID)
		r.Items++
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read exported items: %w", err)
	}
	for _, it := range w.hist.acked() {
		if ids := there[it.key]; len(ids) != 1 || ids[0] != it.ids[0] {
			r.lose("item %s was acknowledged as %v and is exported as %v", it.id, it.ids, ids)
		}
	}
	for k, ids := range there {
		if !w.hist.tried(k) {
			r.problem("item %s of %s is there, as %v, and nobody submitted it", k.id, k.source, ids)
		}
	}
	return nil
}
