package classifier

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hitl"
	"hitl/classifier/internal/engine"
	"hitl/classifier/starter"
)

var _ hitl.Classifier = (*Classifier)(nil)

func noEnvironment(string) string { return "" }

func mustOpen(t testing.TB, o Options) *Classifier {
	t.Helper()
	c, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// The starter's own recordings are what ONNX Runtime and Hugging Face's tokenizers said.
func TestStarterEqualsItsRecordings(t *testing.T) {
	t.Parallel()
	c := mustOpen(t, Options{ONNXRuntime: "off"})
	if want := []string{"NEGATIVE", "POSITIVE"}; !slices.Equal(c.Labels(), want) {
		t.Errorf("labels %q, want %q", c.Labels(), want)
	}
	data, err := os.ReadFile("starter/testdata/recorded.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded []struct {
		Text          string     `json:"text"`
		IDs           []uint32   `json:"ids"`
		Probabilities [2]float64 `json:"probabilities"` // as Labels
	}
	if err := json.Unmarshal(data, &recorded); err != nil || len(recorded) == 0 {
		t.Fatalf("%d recordings, %v", len(recorded), err)
	}
	texts := make([]string, len(recorded))
	for i, r := range recorded {
		texts[i] = r.Text
		if ids, _, err := c.encode(r.Text); err != nil || !slices.Equal(ids, r.IDs) {
			t.Errorf("%q: ids %v, recorded %v", r.Text, ids, r.IDs)
		}
	}
	for i, r := range c.ClassifyAll(t.Context(), texts) {
		alone, err := c.Classify(t.Context(), texts[i])
		if err != nil || r.Err != nil {
			t.Fatalf("%q: %v, %v", texts[i], err, r.Err)
		}
		for _, p := range []hitl.Prediction{r.Prediction, alone} {
			for _, s := range p.Scores {
				if want := recorded[i].Probabilities[slices.Index(c.Labels(), s.Label)]; math.Abs(s.Probability-want) > 1e-4 {
					t.Errorf("%q: %s has %v, recorded %v", texts[i], s.Label, s.Probability, want)
				}
			}
			if sum := p.Scores[0].Probability + p.Scores[1].Probability; math.Abs(sum-1) > 1e-9 || p.Confidence < 0.5 || p.Model != c.Version() {
				t.Errorf("%q: %+v", texts[i], p)
			}
		}
	}
}

func TestHostileTexts(t *testing.T) {
	t.Parallel()
	c := mustOpen(t, Options{ONNXRuntime: "off"})
	for name, text := range map[string]string{
		"empty": "", "blank": " \t\n", "NUL": "\x00", "invalid": "\xff\xfe\xc3", "special": "[CLS][SEP][PAD][MASK]", "right to left": "\u202eabc\u202c",
		"emoji": "👨‍👩‍👧‍👦", "mention": "<!channel>",
	} {
		if p, err := c.Classify(t.Context(), text); err != nil || p.Truncated || p.Tokens < 2 {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	for name, text := range map[string]string{"1 MB": strings.Repeat("great ", 1<<20/6), "1 MB of marks": strings.Repeat("!", 1<<20), "1 MB of bad bytes": strings.Repeat("\xff!", 1<<19)} {
		if p, err := c.Classify(t.Context(), text); err != nil || !p.Truncated || p.Tokens != c.MaxTokens() {
			t.Errorf("%s: %d tokens, truncated %v, %v", name, p.Tokens, p.Truncated, err)
		}
	}
	short := mustOpen(t, Options{ONNXRuntime: "off", MaxTokens: 5})
	if p, err := short.Classify(t.Context(), "one two three four five six"); err != nil || p.Tokens != 5 || !p.Truncated {
		t.Errorf("MaxTokens 5: %+v, %v", p, err)
	}
}

func TestOpenFolders(t *testing.T) {
	t.Parallel()
	versions := map[string]string{}
	for _, name := range []string{"bert", "typed", "roberta"} {
		c := mustOpen(t, Options{Model: filepath.Join("testdata", name), ONNXRuntime: "off"})
		p, err := c.Classify(t.Context(), "The service was great")
		if err != nil || len(p.Scores) != 3 {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
		if other, ok := versions[c.Version()]; ok {
			t.Errorf("%s has the version of %s", name, other)
		}
		versions[c.Version()] = name
	}
}

func TestOpenExplains(t *testing.T) {
	t.Parallel()
	wrong := t.TempDir()
	for _, name := range []string{"model.onnx", "tokenizer.json"} {
		data, err := os.ReadFile(filepath.Join("testdata", "bert", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(wrong, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := `{"id2label": {"0": "A", "1": "B"}, "max_position_embeddings": 64}`
	if err := os.WriteFile(filepath.Join(wrong, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		o    Options
		want string
	}{
		{Options{Model: wrong}, "id2label names 2 labels, the network has 3"},
		{Options{Model: "./missing"}, "no model.onnx"},
		{Options{Model: "missing"}, "no folder, and no Hugging Face id"},
		{Options{Model: "testdata/unigram"}, "Unigram"},
		{Options{Network: "model_quantized.onnx"}, "no model_quantized.onnx"},
		{Options{ONNXRuntime: wrong}, "no ONNX Runtime library in"},
		{Options{ONNXRuntime: "open_test.go"}, "ONNX Runtime"},
		{Options{MaxBatch: -1}, "MaxBatch"},
		{Options{MaxBatch: 2000}, "MaxBatch"},
		{Options{QueueSize: -1, Timeout: -1}, "QueueSize"},
	} {
		tt.o.Getenv = noEnvironment
		if tt.o.ONNXRuntime == "" {
			tt.o.ONNXRuntime = "off"
		}
		if c, err := Open(t.Context(), tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, %v; want %q", tt.o, c, err, tt.want)
		}
	}
}

// With "auto" a library that does not work is a warning, and the model runs all the same.
func TestAutoFallsBackToPureGo(t *testing.T) {
	t.Parallel()
	broken := filepath.Join(t.TempDir(), "libonnxruntime.so")
	if err := os.WriteFile(broken, []byte("no library"), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	c := mustOpen(t, Options{Logger: slog.New(slog.NewTextHandler(&log, nil)), Getenv: func(name string) string {
		return map[string]string{engine.LibraryVariable: broken}[name]
	}})
	if !strings.Contains(c.Engine(), "pure Go") || !strings.Contains(log.String(), "runs in pure Go") {
		t.Errorf("engine %q, log %s", c.Engine(), log.String())
	}
}

func TestEnginesGiveTheSamePredictions(t *testing.T) {
	t.Parallel()
	library, err := engine.FindRuntime("", os.Getenv)
	if errors.Is(err, engine.ErrNoRuntime) && os.Getenv(engine.LibraryVariable) == "" && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	pure, native := mustOpen(t, Options{ONNXRuntime: "off"}), mustOpen(t, Options{ONNXRuntime: library})
	if pure.Version() != native.Version() || !strings.HasPrefix(native.Engine(), "ONNX Runtime ") {
		t.Errorf("versions %s and %s, engine %s", pure.Version(), native.Version(), native.Engine())
	}
	for _, s := range starter.Samples() {
		a, errA := pure.Classify(t.Context(), s.Text)
		b, errB := native.Classify(t.Context(), s.Text)
		if errA != nil || errB != nil || a.Label != b.Label || math.Abs(a.Confidence-b.Confidence) > 1e-4 {
			t.Errorf("%q: pure %+v, %v; native %+v, %v", s.Text, a, errA, b, errB)
		}
	}
}

func TestOpenFromHub(t *testing.T) {
	t.Parallel()
	const commit = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	names := []string{"config.json", "tokenizer.json", "model.onnx"}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/models/org/bert/revision/v1", func(w http.ResponseWriter, _ *http.Request) {
		var siblings []map[string]string
		for _, name := range names {
			siblings = append(siblings, map[string]string{"rfilename": name})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"sha": commit, "siblings": siblings})
	})
	mux.Handle("GET /org/bert/resolve/"+commit+"/", http.StripPrefix("/org/bert/resolve/"+commit+"/", http.FileServer(http.Dir("testdata/bert"))))
	server := httptest.NewServer(mux)
	defer server.Close()
	var progress bytes.Buffer
	o := Options{Model: "org/bert@v1", ONNXRuntime: "off", HubURL: server.URL, CacheDir: t.TempDir(), Progress: &progress}
	c := mustOpen(t, o)
	local := mustOpen(t, Options{Model: "testdata/bert", ONNXRuntime: "off"})
	if c.Version() != local.Version() {
		t.Errorf("version %s, the same files have %s in a folder", c.Version(), local.Version())
	}
	if !strings.Contains(progress.String(), "downloading model.onnx") {
		t.Errorf("progress %q", progress.String())
	}
	o.Network = "model_quantized.onnx"
	if _, err := Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "no model_quantized.onnx") {
		t.Errorf("%v", err)
	}
	server.Close()
	o.Network = ""
	mustOpen(t, o)
}
