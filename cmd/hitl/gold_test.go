package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hitl"
	"hitl/audit"
	"hitl/bot/slacksim"
	"hitl/config"
)

var goldWorld = func(s *storySettings) {
	s.OpenLimit = 100
	s.Queue = "    gold_share: 0.5\n    owners: {users: [U0CHLOE]}"
}

// drawGold posts items until a known answer is behind one, and returns both.
func (w *world) drawGold(text string) (drawn, gold item) {
	w.t.Helper()
	const find = `SELECT coalesce(max(item_id), '') FROM hitl.gold`
	was := query[string](w, find)
	for i := range 60 {
		it := w.post(fmt.Sprint("order-", 48200+i), text, http.StatusAccepted)
		if id := query[string](w, find); id != was {
			gold = item{ID: id, Review: &struct {
				ID string `json:"id"`
			}{query[string](w, `SELECT id FROM hitl.reviews WHERE item_id = $1`, id)}}
			return it, gold
		}
	}
	w.t.Fatal("no known answer came behind sixty items")
	return item{}, item{}
}

// varying is what differs between any two cards: ids, and times.
var varying = regexp.MustCompile(`(rev|itm|crd)_[0-9a-z]+|order-48\d{3}|!date\^[^|]*\|[^\\]*|"block_id":"[0-9a-f]{5}"`)

func shape(t *testing.T, blocks []slacksim.Block) string {
	t.Helper()
	data, err := json.Marshal(blocks)
	if err != nil {
		t.Fatal(err)
	}
	return varying.ReplaceAllString(string(data), "…")
}

// details opens the details of an item's review and returns their form.
func (w *world) details(user string, it item) string {
	w.t.Helper()
	w.click(user, w.card(it), "Details")
	v := w.modal(user, func(v slacksim.View) bool {
		return strings.Contains(v.PrivateMetadata, it.Review.ID) && strings.Contains(v.AllText(), "Metadata")
	})
	return shape(w.t, v.Blocks)
}

// A known answer is put before people, who cannot tell it from others; it counts for nothing but what they and, later, the owners are told.
func TestGold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, goldWorld)
	w.signedLog()
	file := filepath.Join(w.dir, "bad.jsonl")
	if err := os.WriteFile(file, []byte("{\"text\": \"a\", \"label\": \"POSITIVE\"}\n{\"text\": \"\", \"label\": \"POSITIVE\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := w.hitl("gold", "add", "--queue", "support", "--file", file); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("a bad line: %v", err)
	}
	good := fmt.Sprintf("{\"text\": %q, \"label\": \"POSITIVE\", \"metadata\": {\"order\": \"order-48100\"}}\n", unsureText)
	if err := os.WriteFile(file, []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	w.mustHitl("gold", "add", "--queue", "support", "--file", file)
	if out := w.mustHitl("gold", "list"); strings.Count(out, "gld_") != 1 {
		t.Errorf("list: %s", out)
	}
	drawn, gold := w.drawGold(unsureText)
	if diff := cmp.Diff(shape(t, w.card(drawn).Blocks), shape(t, w.card(gold).Blocks)); diff != "" {
		t.Errorf("the card of a known answer differs: %s", diff)
	}
	if diff := cmp.Diff(w.details("U0ANA", drawn), w.details("U0BEN", gold)); diff != "" {
		t.Errorf("the details of a known answer differ: %s", diff)
	}
	w.click("U0ANA", w.card(gold), "NEGATIVE")
	w.shows(gold, "U0ANA", "NEGATIVE")
	w.click("U0ANA", w.card(drawn), "NEGATIVE")
	w.calledBack(drawn)
	if got := w.upstream.of(gold); len(got) > 0 || query[int](w, `SELECT count(*) FROM hitl.callbacks WHERE item_id = $1`, gold.ID) != 0 {
		t.Errorf("the upstream was told of it: %+v", got)
	}
	if !query[bool](w, `SELECT gold FROM hitl.decisions WHERE item_id = $1`, gold.ID) ||
		!query[bool](w, `SELECT (context->>'gold')::bool FROM hitl.log WHERE item_id = $1 AND status = 'HUMAN_CORRECTED'`, gold.ID) {
		t.Error("neither decision nor log tells that it is one")
	}
	for _, kind := range []string{"decisions", "items"} {
		if out := w.mustHitl("export", kind, "--format", "jsonl"); strings.Contains(out, gold.ID) || !strings.Contains(out, drawn.ID) {
			t.Errorf("export of %s: %s", kind, out)
		}
	}
	if out := w.mustHitl("export", "labelled", "--classifier", "sentiment", "--format", "jsonl"); strings.Contains(out, gold.ID) || !strings.Contains(out, drawn.ID) {
		t.Errorf("export of what was answered: %s", out)
	}
	var st hitl.Stats
	if err := json.Unmarshal([]byte(w.mustHitl("stats", "--json")), &st); err != nil {
		t.Fatal(err)
	}
	if st.Accepted+st.Corrected != 1 {
		t.Errorf("statistics count %d decisions", st.Accepted+st.Corrected)
	}
	w.verifies("nothing was altered")

	// The weeks pass. Ana is told first, once; then, of what she was told, the owners.
	if out := w.mustHitl("quality", "reviewers", "--json"); !strings.Contains(out, `"gold": 0`) {
		t.Errorf("figures that Ana has not seen: %s", out)
	}
	cfg, err := config.Load(w.configFile(), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	store, err := audit.Open(t.Context(), storeConfig(cfg, slog.New(slog.DiscardHandler), nil))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	week := digest(config.Queue{Digest: defaultGoldMoment})
	first := week.Latest(time.Now()).AddDate(0, 0, 7)
	for range 2 {
		if err := addGold(context.WithoutCancel(t.Context()), store, "support", cfg.Queues["support"], first.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	const told = `SELECT count(*) FROM hitl.notices WHERE kind = $1 AND recipient = $2`
	w.eventually("Ana to be told", func() bool { return query[int](w, told+` AND state = 'posted'`, "gold_private", "U0ANA") == 1 })
	channel := query[string](w, `SELECT channel FROM hitl.notices WHERE kind = 'gold_private'`)
	if m := w.sim.Messages(channel); len(m) != 1 || !strings.Contains(m[0].AllText(), "0 of 1") || channel == reviewChannel {
		t.Errorf("in %s Ana was told %+v", channel, m)
	}
	if n := query[int](w, told, "gold_owners", "U0CHLOE"); n != 0 {
		t.Errorf("the owners were told in the same week")
	}
	if out := w.mustHitl("quality", "reviewers", "--json"); !strings.Contains(out, `"gold": 1`) {
		t.Errorf("figures that Ana has seen: %s", out)
	}
	if err := addGold(t.Context(), store, "support", cfg.Queues["support"], first.AddDate(0, 0, 7).Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	w.eventually("the owner to be told", func() bool { return query[int](w, told+` AND state = 'posted'`, "gold_owners", "U0CHLOE") == 1 })
	channel = query[string](w, `SELECT channel FROM hitl.notices WHERE kind = 'gold_owners'`)
	if m := w.sim.Messages(channel); len(m) != 1 || !strings.Contains(m[0].AllText(), "too few") || strings.Contains(m[0].AllText(), "%") {
		t.Errorf("the owner was told %+v", m)
	}
}

// Whoever erases an item erases the known answer that was made from it, and its copies.
func TestGoldErased(t *testing.T) {
	t.Parallel()
	w := newWorld(t, goldWorld)
	w.signedLog()
	it := w.post("first-1", unsureText, http.StatusAccepted)
	w.click("U0ANA", w.card(it), "Accept")
	w.calledBack(it)
	w.mustHitl("gold", "add", "--from-item", it.ID)
	_, gold := w.drawGold(unsureText)
	w.mustHitl("erase", "--item", it.ID, "--reason", "asked for", "--yes")
	if n := query[int](w, `SELECT count(*) FROM hitl.gold_masters`); n != 0 {
		t.Errorf("%d known answers are left", n)
	}
	if n := query[int](w, `SELECT count(*) FROM hitl.item_texts WHERE item_id = $1`, gold.ID); n != 0 {
		t.Error("the copy is left")
	}
	w.verifies("nothing was altered")
}
