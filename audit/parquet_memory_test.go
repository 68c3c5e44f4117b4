package audit

import (
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"
)

// An export takes as much memory as a row group, however many rows there are and however long their texts. It runs alone: the heap is everybody's.
func TestParquetMemory(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // texts that do not compress, the same each time
	noise := make([]byte, 1<<20)
	for i := range noise {
		noise[i] = byte('!' + chance.IntN(90))
	}
	heap := func() uint64 {
		runtime.GC()
		runtime.GC() // what lies in a sync.Pool outlives one
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	const rows, every = 100_000, 2_500
	before, peak := heap(), uint64(0)
	out := &counter{}
	write, flush := newParquet[ExportedLabelled](out)
	texts := 0
	for i := range rows {
		length := 1 << 10
		if i%1000 == 0 {
			length = 64 << 10
		}
		from := chance.IntN(len(noise) - length)
		at := time.UnixMicro(int64(i)).UTC()
		e := ExportedLabelled{
			ItemID: fmt.Sprint("itm_", i), Source: "mail", ReceivedAt: at, Text: string(noise[from : from+length]), Label: "a", AILabel: "b", Confidence: 0.5,
			Scores: map[string]float64{"a": 0.4, "b": 0.5, "c": 0.1}, Model: "sha256:" + strings.Repeat("0", 64), Triggers: []string{"sample"},
			Inclusion: 0.02, Weight: 50, HeldOut: i%5 == 0, DecidedAt: at, Queue: "q", Policy: "p",
		}
		texts += len(e.Text)
		if err := write(e); err != nil {
			t.Fatal(err)
		}
		if i%every == 0 {
			peak = max(peak, heap())
		}
	}
	if err := flush(); err != nil {
		t.Fatal(err)
	}
	grown := int(peak) - int(before)
	t.Logf("%d MB of texts, %d MB written, the heap grew by %d MB at most", texts>>20, out.n>>20, grown>>20)
	if bound := 2 * groupBytes; texts < 3*bound || grown > bound {
		t.Errorf("%d MB of texts made the heap grow by %d MB; a row group holds %d", texts>>20, grown>>20, groupBytes>>20)
	}
	if out.n < texts/2 {
		t.Errorf("%d bytes of %d were written", out.n, texts)
	}
}

// counter is a file that only grows.
type counter struct{ n int }

func (c *counter) Write(p []byte) (int, error) {
	c.n += len(p)
	return len(p), nil
}

var _ io.Writer = (*counter)(nil)
