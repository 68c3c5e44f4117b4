package classifier

import (
	"strings"
	"testing"
)

// Compare: the same texts one by one, and gathered into batches.
func BenchmarkStarter(b *testing.B) {
	texts := []string{"The parcel never arrived and nobody answers.", "Great!", strings.Repeat("It works as described. ", 6), "I am not sure whether I like it."}
	for _, name := range []string{"off", "auto"} {
		c := mustOpen(b, Options{ONNXRuntime: name})
		b.Run("alone/"+c.Engine(), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if _, err := c.Classify(b.Context(), texts[i%len(texts)]); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "texts/s")
		})
		b.Run("batched/"+c.Engine(), func(b *testing.B) {
			var many []string
			for range 64 {
				many = append(many, texts...)
			}
			for b.Loop() {
				for _, r := range c.ClassifyAll(b.Context(), many) {
					if r.Err != nil {
						b.Fatal(r.Err)
					}
				}
			}
			b.ReportMetric(float64(len(many)*b.N)/b.Elapsed().Seconds(), "texts/s")
		})
	}
}
