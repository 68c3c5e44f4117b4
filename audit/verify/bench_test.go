package verify_test

import (
	"bytes"
	"testing"

	"hitl/audit/verify"
)

// Compare with hitl-bench's row verify, which reads entries that need no decoding.
func BenchmarkBundle(b *testing.B) {
	k := newKey(b)
	data := newLog(b, k, 4096, 4096).bundle(b)
	for b.Loop() {
		if err := verify.ReadBundle(bytes.NewReader(data), verify.New(k)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*4096/b.Elapsed().Seconds(), "entries/s")
}
