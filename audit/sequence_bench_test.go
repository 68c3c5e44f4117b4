package audit_test

import (
	"crypto/sha256"
	"testing"
	"time"

	"hitl/audit"
	"hitl/audit/verify"
)

// BenchmarkSequence measures what the tree costs on top of the log: positions given and entries verified in a second, each beside its limit in
// the same run. That of sequencing is the log's own insert of the same rows, in one statement; that of verifying is SHA-256 of the same bytes.
func BenchmarkSequence(b *testing.B) {
	owner, service := database(b)
	s, p := openWith(b, audit.Config{DSN: service}), pool(b, owner)
	key, verifier := logKey(b)
	const n = 20_000
	var inserted, sequenced time.Duration
	rounds := 0
	for b.Loop() {
		begin := time.Now()
		if _, err := p.Exec(b.Context(), `INSERT INTO hitl.log (item_id, at, status, text_ref, ai_label, confidence, label, reviewer, model, policy, context)
			SELECT 'itm_01k2q8r7w3v5x9z1a4c6e8g0jm', now(), 'AI_ACCEPTED', sha256(i::text::bytea), 'POSITIVE', 0.5, 'POSITIVE', '', repeat('m', 64), repeat('p', 64),
			    '{"source": "mail", "classifier": "mood", "threshold": 0.85, "inclusion": 0.01}' FROM generate_series(1, $1) i`, n); err != nil {
			b.Fatal(err)
		}
		inserted += time.Since(begin)
		begin = time.Now()
		mustCheckpoint(b, s, key)
		sequenced += time.Since(begin)
		rounds++
	}
	b.StopTimer()
	total := float64(rounds * n)
	b.ReportMetric(total/inserted.Seconds(), "inserted/s")
	b.ReportMetric(total/sequenced.Seconds(), "sequenced/s")

	begin := time.Now()
	r := verified(b, s, verifier)
	took := time.Since(begin)
	if !r.OK() || r.Entries != int64(total) {
		b.Fatalf("report %+v", r)
	}
	leaf := verify.Entry{Context: string(make([]byte, 330))}.Leaf() // about what an entry is encoded
	begin = time.Now()
	for range r.Entries {
		sha256.Sum256(leaf)
	}
	b.ReportMetric(total/took.Seconds(), "verified/s")
	b.ReportMetric(total/time.Since(begin).Seconds(), "sha256/s")
	b.ReportMetric(scalar[float64](b, p, `SELECT (pg_total_relation_size('hitl.log_positions') + pg_total_relation_size('hitl.log_tiles')
		+ pg_relation_size('hitl.log_tx'))::float8`)/total, "tree-bytes/entry")
	b.ReportMetric(scalar[float64](b, p, `SELECT pg_total_relation_size('hitl.log')::float8`)/total, "log-bytes/entry")
}
