package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// An owner takes old entries out of the log and moves them away; whoever verifies is told.
func TestLogIsDetached(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	keys := strings.Fields(w.mustHitl("log", "key", "log.example.org"))
	w.appendConfig("audit: {key: \"" + keys[0] + "\"}\n")
	it := w.post("a", "I love it", http.StatusOK)
	w.asSuperuser(`INSERT INTO hitl.log (item_id, at, status, text_ref, ai_label, confidence, label, reviewer, model, policy, context)
		SELECT item_id, '2020-02-02Z', 'REVEALED', text_ref, ai_label, confidence, '', 'U1', model, policy, '{}' FROM hitl.log`)
	before := query[string](w, `SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM')`)
	name := query[string](w, `SELECT tableoid::regclass::text FROM hitl.log WHERE at < '2021-01-01'`)
	bare := strings.TrimPrefix(name, "hitl.")

	for what, args := range map[string][]string{
		"a month to come":    {"--before", "2999-01"},
		"what is no month":   {"--before", "yesterday"},
		"nothing that is so": {},
	} {
		if out, err := w.hitl(append([]string{"log", "detach"}, args...)...); err == nil {
			t.Errorf("%s: no error, printed %s", what, out)
		}
	}
	w.eventually("both entries are signed", func() bool {
		return strings.HasPrefix(w.mustHitl("log", "checkpoint"), "log.example.org\n2\n")
	})
	if out := w.mustHitl("log", "detach", "--before", "2020-01"); !strings.Contains(out, "no partition ends before 2020-01") {
		t.Errorf("printed %s", out)
	}
	if out := w.mustHitl("log", "detach", "--before", before, "--dry-run"); !strings.Contains(out, bare) || strings.Contains(out, "detached") {
		t.Errorf("dry run printed %s", out)
	}
	if out := w.mustHitl("log", "detach", "--before", before); !strings.Contains(out, bare) || !strings.Contains(out, "detached") {
		t.Errorf("detach printed %s", out)
	}
	var list []partitionView
	if out := w.mustHitl("log", "partitions", "--json"); json.Unmarshal([]byte(out), &list) != nil || len(list) < 6 || list[0].Name != bare ||
		!list[0].Detached || list[0].Entries != 1 || list[0].Bytes == 0 {
		t.Errorf("partitions printed %s", out)
	}
	if out := w.mustHitl("log", "partitions"); !strings.Contains(out, bare) || !strings.Contains(out, "log_default") {
		t.Errorf("partitions printed %s", out)
	}
	if out := w.mustHitl("verify"); strings.Contains(out, "detached") || !strings.Contains(out, "nothing was altered") {
		t.Errorf("verify with the table there printed %s", out)
	}
	w.asSuperuser(`DROP TABLE ` + name)
	if out := w.mustHitl("verify"); !strings.Contains(out, "1 entries of "+bare+" are detached, as the log says") || !strings.Contains(out, "nothing was altered") {
		t.Errorf("verify printed %s", out)
	}
	if out, err := w.hitl("log", "export"); err == nil || !strings.Contains(out+err.Error(), bare) {
		t.Errorf("export: %v, printed %s", err, out)
	}
	if out := w.mustHitl("verify", "--item", it.ID); !strings.Contains(out, it.ID+" AI_ACCEPTED") {
		t.Errorf("verify --item printed %s", out)
	}
}
