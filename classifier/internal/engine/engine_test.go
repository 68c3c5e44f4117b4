package engine

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func network(name string) Network {
	return Network{Path: filepath.Join("..", "..", "testdata", name, "model.onnx"), MaxTokens: 64, MaxBatch: 8}
}

func openGo(t testing.TB, name string) Engine {
	t.Helper()
	e, err := OpenGo(t.Context(), network(name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// rows of every length that is possible, in no order.
func someRows() [][]uint32 {
	var rows [][]uint32
	for i := range 64 {
		row := make([]uint32, 1+(i*37)%64)
		for j := range row {
			row[j] = uint32((i*31 + j*7) % 100)
		}
		rows = append(rows, row)
	}
	return rows
}

func run(t testing.TB, e Engine, rows [][]uint32) [][]float32 {
	t.Helper()
	logits, err := e.Run(rows)
	if err != nil {
		t.Fatal(err)
	}
	if len(logits) != len(rows) {
		t.Fatalf("%d rows of logits for %d", len(logits), len(rows))
	}
	return logits
}

func differ(a, b []float32) bool {
	if len(a) != len(b) {
		return true
	}
	for i := range a {
		if !(math.Abs(float64(a[i]-b[i])) <= 1e-4) { // also when one is NaN
			return true
		}
	}
	return false
}

// Neither the rows beside a row nor the padding after it change its logits.
func TestGoBatchesAsItDoesSingleRows(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"bert", "typed"} {
		e := openGo(t, name)
		rows := someRows()
		together := run(t, e, rows)
		for i, row := range rows {
			if alone := run(t, e, [][]uint32{row})[0]; differ(alone, together[i]) {
				t.Errorf("%s: row %d alone %v, in a batch %v", name, i, alone, together[i])
			}
		}
	}
}

func TestGoRefusesWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	e := openGo(t, "bert")
	for _, rows := range [][][]uint32{{make([]uint32, 65)}, {{}}} {
		if logits, err := e.Run(rows); err == nil {
			t.Errorf("%d tokens: %v, want an error", len(rows[0]), logits)
		}
	}
	if _, err := e.Run([][]uint32{{1, 2, 3}}); err != nil {
		t.Errorf("after the refusals: %v", err)
	}
}

func TestOpenGoExplains(t *testing.T) {
	t.Parallel()
	broken := filepath.Join(t.TempDir(), "model.onnx")
	if err := os.WriteFile(broken, []byte("no network"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{broken, filepath.Join(t.TempDir(), "model.onnx")} {
		n := network("bert")
		n.Path = path
		if e, err := OpenGo(t.Context(), n); err == nil {
			t.Errorf("%s: %s, want an error", path, e.Name())
		}
	}
}

func TestCheckPorts(t *testing.T) {
	t.Parallel()
	ids, mask := port{"input_ids", []int64{-1, -1}}, port{"attention_mask", []int64{-1, -1}}
	logits, hidden := port{"logits", []int64{-1, 2}}, port{"last_hidden_state", []int64{-1, -1, 384}}
	tests := []struct {
		name        string
		ins, outs   []port
		want        int
		wantMessage string
	}{
		{"usual", []port{ids, mask}, []port{logits}, 0, ""},
		{"other name", []port{ids}, []port{{"output_0", []int64{-1, 3}}}, 0, ""},
		{"logits second", []port{ids}, []port{hidden, logits}, 1, ""},
		{"embeddings", []port{ids}, []port{hidden}, 0, "text classification"},
		{"several outputs", []port{ids}, []port{hidden, hidden}, 0, "none is named logits"},
		{"no output", []port{ids}, nil, 0, "no output"},
		{"image", []port{{"pixel_values", []int64{-1, 3, 224, 224}}}, []port{logits}, 0, "pixel_values"},
		{"no ids", []port{mask}, []port{logits}, 0, "no input input_ids"},
		{"flat", []port{{"input_ids", []int64{-1}}}, []port{logits}, 0, "dimensions"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := checkPorts(tt.ins, tt.outs)
			if tt.wantMessage == "" && (err != nil || got != tt.want) {
				t.Errorf("%d, %v; want %d", got, err, tt.want)
			}
			if tt.wantMessage != "" && (err == nil || !strings.Contains(err.Error(), tt.wantMessage)) {
				t.Errorf("error %v, want one with %q", err, tt.wantMessage)
			}
		})
	}
}

func TestBuckets(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff([]int{1, 2, 4, 8, 16, 20}, batchBuckets(20)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{1}, batchBuckets(1)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{8, 16, 24, 32, 48, 64, 96, 100}, lengthBuckets(100)); diff != "" {
		t.Error(diff)
	}
	for limit := 1; limit < 600; limit++ {
		b := lengthBuckets(limit)
		if !slices.IsSorted(b) || b[len(b)-1] != limit || len(slices.Compact(slices.Clone(b))) != len(b) {
			t.Fatalf("limit %d: %v", limit, b)
		}
	}
	e := &goEngine{batches: batchBuckets(32)}
	for n, want := range map[int]int{1: 1, 2: 2, 3: 4, 4: 4, 5: 4, 6: 8, 7: 8, 9: 8, 12: 16, 13: 16, 23: 16, 24: 32, 31: 32, 32: 32, 100: 32} {
		if got := e.take(n); got != want {
			t.Errorf("of %d rows takes %d, want %d", n, got, want)
		}
	}
}

func TestFindRuntime(t *testing.T) {
	t.Parallel()
	dir, empty := t.TempDir(), t.TempDir()
	library := filepath.Join(dir, "libonnxruntime.so.1.99.0")
	if err := os.WriteFile(library, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	env := func(value string) func(string) string {
		return func(name string) string { return map[string]string{LibraryVariable: value}[name] }
	}
	for _, tt := range []struct{ where, env, want string }{
		{dir, "", library},
		{library, "", library},
		{library, empty, library},
		{"", dir, library},
		{"", library, library},
		{empty, dir, ""},
		{"", empty, ""},
		{filepath.Join(dir, "missing"), "", ""},
	} {
		got, err := FindRuntime(tt.where, env(tt.env))
		if got != tt.want || (tt.want == "") != errors.Is(err, ErrNoRuntime) {
			t.Errorf("%+v: %q, %v", tt, got, err)
		}
	}
}

func BenchmarkGo(b *testing.B) { benchmark(b, openGo(b, "bert")) }

// benchmark compares batches with single rows.
func benchmark(b *testing.B, e Engine) {
	row := slices.Repeat([]uint32{5}, 24)
	for _, n := range []int{1, 8} {
		b.Run(fmt.Sprintf("batch=%d", n), func(b *testing.B) {
			rows := slices.Repeat([][]uint32{row}, n)
			for b.Loop() {
				if _, err := e.Run(rows); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "texts/s")
		})
	}
}
