package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"hitl"
	"hitl/deploy/local/localtest"
)

// Words that people wrote. Every one must go.
const (
	plantedText    = "I want a refund, says plantedtext."
	plantedValue   = "plantedvalue"
	plantedSubject = "plantedsubject"
	plantedComment = "plantedcomment"
	planted        = "planted"
)

// plant posts an item that is full of words to erase.
func (w *world) plant(id, subject string) item {
	w.t.Helper()
	var it item
	resp := w.request(http.MethodPost, "/v1/items", map[string]any{
		"id": id, "text": plantedText, "subject": subject, "metadata": map[string]any{"note": plantedValue},
	}, &it)
	if resp.status != http.StatusAccepted {
		w.t.Fatalf("POST %s: status %d: %s", id, resp.status, resp.body)
	}
	return it
}

// everything returns all that Postgres, Redis, Slack, the exports and the service's log hold, by place.
func (w *world) everything() map[string]string {
	w.t.Helper()
	out := map[string]string{"slack": w.screen(), "the service's log": w.logs.String()}
	for _, m := range w.sim.Messages(reviewChannel) {
		out["slack"] += m.Text
	}
	conn, err := pgx.Connect(w.t.Context(), w.owner)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(w.t.Context())) }()
	rows, err := conn.Query(w.t.Context(), `SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables WHERE schemaname IN ('hitl', 'hitl_jobs')`)
	if err != nil {
		w.t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(tables) < 15 {
		w.t.Fatalf("tables %v, error %v", tables, err)
	}
	for _, table := range tables {
		out[table] = query[string](w, `SELECT coalesce(string_agg(t::text, E'\n'), '') FROM `+table+` t`)
	}
	out["callbacks' bodies"] = query[string](w, `SELECT coalesce(string_agg(convert_from(body, 'UTF8'), E'\n'), '') FROM hitl.callbacks`)
	out["redis"] = w.dumpRedis()
	for _, kind := range []string{"items", "decisions", "corrections"} {
		for _, format := range []string{"csv", "jsonl"} {
			out["export "+kind+" "+format] = w.mustHitl("export", kind, "--format", format)
		}
	}
	out["export labelled"] = w.mustHitl("export", "labelled", "--classifier", "sentiment", "--format", "jsonl")
	return out
}

// dumpRedis returns every key of this world with what it holds, as Redis itself would write it out.
func (w *world) dumpRedis() string {
	w.t.Helper()
	client := redis.NewClient(&redis.Options{Addr: localtest.Redis(w.t)})
	defer func() { _ = client.Close() }()
	keys, err := client.Keys(w.t.Context(), w.prefix+":*").Result()
	if err != nil || len(keys) == 0 {
		w.t.Fatalf("found %d keys: %v", len(keys), err)
	}
	var all strings.Builder
	for _, key := range keys {
		kind, err := client.Type(w.t.Context(), key).Result()
		if err != nil {
			w.t.Fatal(err)
		}
		var v any
		switch kind {
		case "string":
			v, err = client.Get(w.t.Context(), key).Result()
		case "hash":
			v, err = client.HGetAll(w.t.Context(), key).Result()
		case "stream":
			v, err = client.XRange(w.t.Context(), key, "-", "+").Result()
		case "set":
			v, err = client.SMembers(w.t.Context(), key).Result()
		case "zset":
			v, err = client.ZRangeWithScores(w.t.Context(), key, 0, -1).Result()
		case "none":
			continue
		default:
			w.t.Fatalf("key %s is a %s", key, kind)
		}
		if err != nil && err != redis.Nil { //nolint:errorlint // expired meanwhile
			w.t.Fatal(err)
		}
		fmt.Fprintln(&all, key, v)
	}
	return all.String()
}

// forgotten waits until no place holds a planted word.
func (w *world) forgotten() {
	w.t.Helper()
	var left []string
	defer func() {
		if w.t.Failed() {
			w.t.Logf("left in %v", left)
		}
	}()
	w.eventually("every word to be gone", func() bool {
		left = nil
		for place, text := range w.everything() {
			if strings.Contains(text, planted) {
				left = append(left, place)
			}
		}
		return len(left) == 0
	})
}

// The words of an item and of a subject go from everywhere, and the log stays whole, with a trace.
func TestEraseEverywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	keys := strings.Fields(w.mustHitl("log", "key", "log.example.org"))
	w.appendConfig("audit: {key: \"" + keys[0] + "\", checkpoint_every: 1s}\n")

	one := w.plant("one", "")
	w.correctByModal("U0BEN", one, other(one.AILabel), "Irony", plantedComment)
	w.calledBack(one)
	waiting, decided := w.plant("waiting", plantedSubject), w.plant("decided", plantedSubject)
	w.card(waiting)
	w.click("U0ANA", w.card(decided), "Accept")
	w.calledBack(decided)
	w.shows(decided, "U0ANA")

	here := w.everything()
	for place, words := range map[string][]string{
		"hitl.item_texts": {plantedText, plantedValue}, "hitl.items": {plantedSubject}, "hitl.decisions": {plantedComment},
		"callbacks' bodies": {plantedValue, plantedComment}, "slack": {plantedText, plantedComment}, "export items csv": {plantedText, plantedComment},
		"export labelled": {plantedText},
	} {
		for _, word := range words {
			if !strings.Contains(here[place], word) {
				t.Errorf("%s does not show %q, so that this test could not fail", place, word)
			}
		}
	}
	for _, place := range []string{"redis", "hitl.log", "hitl_jobs.river_job", "the service's log"} {
		if strings.Contains(here[place], planted) {
			t.Errorf("%s holds what nobody erases: %s", place, here[place])
		}
	}
	proof := filepath.Join(w.dir, "proof.json")
	w.eventually("both entries are signed", func() bool {
		body := w.request(http.MethodGet, "/v1/items/"+one.ID+"/log", nil, nil).body
		var log struct{ Proof hitl.LogProof }
		return json.Unmarshal(body, &log) == nil && len(log.Proof.Proofs) == 2 && os.WriteFile(proof, body, 0o600) == nil
	})

	if _, err := w.hitl("erase", "--item", "itm_none", "--reason", "x"); err == nil || !strings.Contains(err.Error(), "not found") {
		t.Errorf("an item that never was: %v", err)
	}
	dry := w.mustHitl("erase", "--subject", plantedSubject, "--reason", "asked to", "--dry-run", "--json")
	var report eraseReport
	if err := json.Unmarshal([]byte(dry), &report); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(eraseReport{DryRun: true, Items: 2, Cancelled: 1, Cards: 2}, report); diff != "" {
		t.Error(diff)
	}
	if n := query[int](w, `SELECT count(*) FROM hitl.log WHERE status IN ('ERASED', 'CANCELLED')`); n != 0 {
		t.Errorf("a dry run left %d entries", n)
	}
	if out := w.mustHitl("erase", "--item", one.ID, "--reason", "sent by mistake", "--by", "ops"); !strings.Contains(out, "erased: 1 item; 0 open reviews cancelled, 1 card redrawn") {
		t.Errorf("printed %q", out)
	}
	if out := w.mustHitl("erase", "--subject", plantedSubject, "--reason", "asked to"); !strings.Contains(out, "erased: 2 items; 1 open review cancelled, 2 cards") {
		t.Errorf("printed %q", out)
	}
	if out := w.mustHitl("erase", "--item", one.ID, "--reason", "again"); !strings.Contains(out, "nothing to erase") {
		t.Errorf("printed %q", out)
	}

	if got := w.calledBack(waiting); got.Status != hitl.Cancelled {
		t.Errorf("upstream was told %+v", got)
	}
	w.forgotten()
	for _, it := range []item{one, waiting, decided} {
		w.shows(it, "Text erased")
	}
	w.shows(one, "U0BEN")
	if diff := cmp.Diff([]hitl.Status{hitl.HumanReview, hitl.Cancelled, hitl.Erased}, statuses(w.log(waiting.ID))); diff != "" {
		t.Error(diff)
	}
	entries := w.log(one.ID)
	if diff := cmp.Diff([]hitl.Status{hitl.HumanReview, hitl.HumanCorrected, hitl.Erased}, statuses(entries)); diff != "" {
		t.Fatal(diff)
	}
	if last := entries[2]; last.Reviewer != "ops" || last.Context["reason"] != "sent by mistake" || last.TextRef != entries[0].TextRef {
		t.Errorf("entry %+v", last)
	}
	body := string(w.request(http.MethodGet, "/v1/items/"+one.ID, nil, nil).body)
	if !strings.Contains(body, `"erased_at":"`) || !strings.Contains(body, `"status":"HUMAN_CORRECTED"`) {
		t.Errorf("the API says %s", body)
	}
	if again := w.request(http.MethodPost, "/v1/items", map[string]any{"id": "one", "text": "another"}, nil); again.status != http.StatusAccepted ||
		again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("replay: status %d: %s", again.status, again.body)
	}

	w.verifies("9 entries, 9 of them bound by")
	bundle := filepath.Join(w.dir, "log.jsonl")
	w.mustHitl("log", "export", "-o", bundle)
	for _, args := range [][]string{{}, {"--item", one.ID}, {"--bundle", bundle, "--key", keys[1]}, {"--proof", proof, "--key", keys[1]}} {
		w.mustHitl(append([]string{"verify"}, args...)...)
	}
}

// What is older than its source's retain goes by itself, and an open review with it.
func TestRetention(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	kept := w.post("kept", unsureText, http.StatusAccepted)
	open, decided := w.plant("open", plantedSubject), w.plant("decided", "")
	w.card(open)
	w.correctByModal("U0BEN", decided, other(decided.AILabel), "Irony", plantedComment)
	w.calledBack(decided)
	w.asSuperuser(`UPDATE hitl.items SET received_at = received_at - interval '30 days' WHERE external_id <> 'kept'`)
	text, err := os.ReadFile(w.configFile())
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), "    stats: true\n", "    stats: true\n    retain: 7d\n", 1)
	if err := os.WriteFile(w.configFile(), []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.forgotten()
	w.shows(open, "Text erased", "Cancelled")
	w.shows(decided, "Text erased", "U0BEN")
	if got := w.calledBack(open); got.Status != hitl.Cancelled {
		t.Errorf("upstream was told %+v", got)
	}
	entries := w.log(open.ID)
	if last := entries[len(entries)-1]; last.Status != hitl.Erased || last.Reviewer != "system" || last.Context["reason"] != "retention" {
		t.Errorf("entry %+v", last)
	}
	if diff := cmp.Diff([]hitl.Status{hitl.HumanReview}, statuses(w.log(kept.ID))); diff != "" {
		t.Error(diff)
	}
	if body := string(w.request(http.MethodGet, w.metrics+"/metrics", nil, nil).body); !strings.Contains(body, `hitl_items_erased_total{source="shop"} 2`) {
		t.Error("the metric does not count two items")
	}
}

// At a terminal a person is asked; only yes is yes.
func TestEraseAsks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	it := w.plant("one", "")
	run := func(answer string) error {
		p := program{stdin: strings.NewReader(answer), stdout: &strings.Builder{}, stderr: &strings.Builder{}, env: os.LookupEnv, terminal: true}
		return p.run(t.Context(), []string{"--config", w.configFile(), "erase", "--item", it.ID, "--reason", "x"})
	}
	for _, answer := range []string{"", "\n", "n\n", "yess\n"} {
		if err := run(answer); err == nil || !strings.Contains(err.Error(), "nothing was erased") {
			t.Errorf("%q: %v", answer, err)
		}
	}
	if n := query[int](w, `SELECT count(*) FROM hitl.item_texts`); n != 1 {
		t.Fatalf("%d texts, want 1", n)
	}
	if err := run("Y\n"); err != nil {
		t.Error(err)
	}
	w.forgotten()
}
