package verify_test

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"hitl/audit/verify"
)

// The limit: SHA-256 of the same bytes. The difference is encoding, the tree's nodes and the interface around.
func BenchmarkVerify(b *testing.B) {
	k := newKey(b)
	l := newLog(b, k, 4096, 4096)
	b.Run("entries", func(b *testing.B) {
		for b.Loop() {
			if r := l.verify(verify.New(k)); !r.OK() {
				b.Fatal(r.Problems)
			}
		}
		b.ReportMetric(float64(b.N)*4096/b.Elapsed().Seconds(), "entries/s")
	})
	b.Run("sha256", func(b *testing.B) {
		leaves := make([][]byte, len(l.lines))
		for i, line := range l.lines {
			leaves[i] = line.Entry.Leaf()
		}
		for b.Loop() {
			for _, leaf := range leaves {
				sha256.Sum256(leaf)
			}
		}
		b.ReportMetric(float64(b.N)*4096/b.Elapsed().Seconds(), "entries/s")
	})
	b.Run("bundle", func(b *testing.B) {
		data := l.bundle(b)
		for b.Loop() {
			v := verify.New(k)
			if err := verify.ReadBundle(bytes.NewReader(data), v); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)*4096/b.Elapsed().Seconds(), "entries/s")
	})
}
