package audit_test

import (
	"strings"
	"testing"
	"time"

	"hitl"
	"hitl/audit"
	"hitl/audit/verify"
)

func recordProblems(t *testing.T, s *audit.Store) []string {
	t.Helper()
	var r verify.Report
	if err := s.VerifyRecord(t.Context(), &r); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, p := range r.Problems {
		if p.Kind != verify.Record {
			t.Errorf("problem of kind %s: %s", p.Kind, p.Text)
		}
		out = append(out, p.Text)
	}
	return out
}

// A log that is whole says what items, texts and decisions were: whatever is changed in their tables, by whoever may, is found and named.
func TestVerifyRecord(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	plain, reviewed, expired, erased := sure("plain", "fine"), unsure("reviewed", "so so"), unsure("expired", "hm"), unsure("erased", "mine")
	for _, rec := range []hitl.Record{plain, reviewed, expired, erased} {
		mustAppend(t, s, rec, nil)
	}
	mustDecide(t, s, corrected(reviewed, "U1"), nil)
	mustDecide(t, s, hitl.Decision{ReviewID: expired.Review.ID, Round: 1, Status: hitl.Expired, Reviewer: hitl.Reviewer{User: "system"}, At: start}, nil)
	mustDecide(t, s, corrected(erased, "U2"), nil)
	if n, err := s.Erase(t.Context(), []string{erased.Item.ID}, start.Add(time.Hour), "cli/ana", "asked to"); n != 1 || err != nil {
		t.Fatalf("erased %d, %v", n, err)
	}
	equal(t, "problems of an honest record", recordProblems(t, s), []string(nil))

	if _, err := owner.Exec(t.Context(), `CREATE TABLE kept_items AS TABLE hitl.items; CREATE TABLE kept_texts AS TABLE hitl.item_texts;
		CREATE TABLE kept_decisions AS TABLE hitl.decisions`); err != nil {
		t.Fatal(err)
	}
	for sql, want := range map[string]string{
		`UPDATE hitl.item_texts SET text = text || '!' WHERE item_id = $1`:                                                         "the text of item",
		`UPDATE hitl.item_texts SET key = sha256(key) WHERE item_id = $1`:                                                          "the text of item",
		`DELETE FROM hitl.item_texts WHERE item_id = $1`:                                                                           "is gone, and no entry says",
		`UPDATE hitl.items SET erased_at = now() WHERE id = $1; DELETE FROM hitl.item_texts WHERE item_id = $1`:                    "is gone, and no entry says",
		`INSERT INTO hitl.item_texts SELECT '` + erased.Item.ID + `', text, metadata, key FROM hitl.item_texts WHERE item_id = $1`: "is there, and an entry says that it was erased",
		`UPDATE hitl.items SET ai_label = 'x' WHERE id = $1`:                                                                       "in ai_label",
		`UPDATE hitl.items SET confidence = 0.99 WHERE id = $1`:                                                                    "in confidence",
		`UPDATE hitl.items SET confidence = 'NaN' WHERE id = $1`:                                                                   "in confidence",
		`UPDATE hitl.items SET status = 'AI_ACCEPTED' WHERE id = $1`:                                                               "in status",
		`UPDATE hitl.items SET source = 'x' WHERE id = $1`:                                                                         "in source",
		`UPDATE hitl.items SET policy = 'x' WHERE id = $1`:                                                                         "in policy",
		`UPDATE hitl.items SET received_at = now() WHERE id = $1`:                                                                  "in received_at",
		`UPDATE hitl.items SET text_ref = key FROM hitl.item_texts WHERE item_id = id AND id = $1`:                                 "in text_ref",
		`UPDATE hitl.items SET model_id = -1 WHERE id = $1`:                                                                        "in model",
		`UPDATE hitl.items SET threshold = 0.1 WHERE id = $1`:                                                                      "in threshold",
		`UPDATE hitl.items SET inclusion = 0.1 WHERE id = $1`:                                                                      "in inclusion",
		`UPDATE hitl.items SET calibration = 'x' WHERE id = $1`:                                                                    "in calibration",
		`UPDATE hitl.items SET triggers = '{sample}' WHERE id = $1`:                                                                "in triggers",
		`UPDATE hitl.decisions SET gold = true WHERE item_id = $1`:                                                                 "in gold",
		`UPDATE hitl.decisions SET label = 'x' WHERE item_id = $1`:                                                                 "in label",
		`UPDATE hitl.decisions SET status = 'HUMAN_ACCEPTED' WHERE item_id = $1`:                                                   "in status",
		`UPDATE hitl.decisions SET reviewer_user = 'U9' WHERE item_id = $1`:                                                        "in reviewer",
		`UPDATE hitl.decisions SET reviewer_team = '' WHERE item_id = $1`:                                                          "in reviewer",
		`UPDATE hitl.decisions SET at = now() WHERE item_id = $1`:                                                                  "in at",
		`UPDATE hitl.decisions SET reason = 'x' WHERE item_id = $1`:                                                                "in reason",
		`UPDATE hitl.decisions SET queue = 'x' WHERE item_id = $1`:                                                                 "in queue",
		`UPDATE hitl.decisions SET ai_label = 'x' WHERE item_id = $1`:                                                              "in ai_label",
		`UPDATE hitl.decisions SET comment = 'x' WHERE item_id = $1`:                                                               "in comment",
		`UPDATE hitl.decisions SET comment = '' WHERE item_id = $1`:                                                                "in comment",
		`UPDATE hitl.decisions SET comment = 'x' WHERE item_id <> $1 AND reviewer_user = 'U2'`:                                     "in comment", // of the erased one
		`UPDATE hitl.decisions SET round = 2 WHERE item_id = $1`:                                                                   "has no entry in the log",
		`DELETE FROM hitl.decisions WHERE item_id = $1`:                                                                            "the decision of entry",
		`INSERT INTO hitl.items SELECT 'itm_x', source, 'x', body_hash, received_at, subject, text_ref, model_id, ai_label, confidence, scores, latency_ns,
			tokens, truncated, failure, status, triggers, queue, priority, policy, threshold, inclusion FROM hitl.items WHERE id = $1`: "item itm_x has no entry in the log",
		`UPDATE hitl.items SET id = 'itm_y' WHERE id = $1`: "is gone",
	} {
		change := `BEGIN; SET LOCAL session_replication_role = replica; ` + strings.ReplaceAll(sql, "$1", "'"+reviewed.Item.ID+"'") + `; COMMIT`
		if _, err := owner.Exec(t.Context(), change); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		if found := recordProblems(t, s); len(found) == 0 || !strings.Contains(strings.Join(found, "\n"), want) {
			t.Errorf("%s: found %q, want %q", sql, found, want)
		}
		if _, err := owner.Exec(t.Context(), `BEGIN; SET LOCAL session_replication_role = replica;
			DELETE FROM hitl.items; DELETE FROM hitl.item_texts; DELETE FROM hitl.decisions;
			INSERT INTO hitl.items SELECT * FROM kept_items; INSERT INTO hitl.item_texts SELECT * FROM kept_texts;
			INSERT INTO hitl.decisions SELECT * FROM kept_decisions; COMMIT`); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "problems after all was put back", recordProblems(t, s), []string(nil))
}
