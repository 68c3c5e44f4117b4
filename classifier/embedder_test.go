package classifier

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hitl/classifier/internal/engine"
	"hitl/classifier/learn"
	"hitl/classifier/starter"
)

func openEmbedderForTest(t testing.TB, o Options) *Embedder {
	t.Helper()
	e, err := OpenEmbedder(t.Context(), o)
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

// engines are what Options.ONNXRuntime may be here: off, and the library if there is one.
func engines(t testing.TB) []string {
	t.Helper()
	library, err := engine.FindRuntime("", os.Getenv)
	if errors.Is(err, engine.ErrNoRuntime) && os.Getenv(engine.LibraryVariable) == "" && os.Getenv("CI") == "" {
		t.Log(err)
		return []string{"off"}
	}
	if err != nil {
		t.Fatal(err)
	}
	return []string{"off", library}
}

// Pooling is as numpy recorded it, in batches of texts of different lengths and on both engines.
func TestEmbedderEqualsItsRecordings(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/encoder.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded map[string][]struct {
		Text     string
		Features []float64
	}
	if err := json.Unmarshal(data, &recorded); err != nil || len(recorded) != 4 {
		t.Fatalf("%d encoders, %v", len(recorded), err)
	}
	for _, where := range engines(t) {
		for name, answers := range recorded {
			e := openEmbedderForTest(t, Options{Model: filepath.Join("testdata", name), ONNXRuntime: where})
			var texts []string
			for _, a := range answers {
				if name != "encoder-sentence" { // its maximum does not mask, so that it is another one in a batch
					texts = append(texts, a.Text)
				}
			}
			together, err := e.EmbedAll(t.Context(), texts)
			if err != nil {
				t.Fatal(err)
			}
			for i, a := range answers {
				if len(a.Features) != e.Dimensions() {
					t.Errorf("%s: %d dimensions, recorded %d", name, e.Dimensions(), len(a.Features))
				}
				if name == "encoder-sentence" && where == "off" {
					continue // padded there to the next length
				}
				alone, err := e.Embed(t.Context(), a.Text)
				if err != nil {
					t.Fatal(err)
				}
				got := [][]float32{alone}
				if len(together) > 0 {
					got = append(got, together[i])
				}
				for _, features := range got {
					for j, want := range a.Features {
						if math.Abs(float64(features[j])-want) > 1e-5 {
							t.Errorf("%s, %s, %q: features %v, recorded %v", name, e.Engine(), a.Text, features, a.Features)
							break
						}
					}
				}
			}
		}
	}
}

// A head and the network that is made of it say the same, on both engines, whatever it stands on; also when it is made again on what was made.
func TestWriteClassifier(t *testing.T) {
	t.Parallel()
	var texts []string
	var kinds []string
	for _, s := range starter.Samples() {
		texts, kinds = append(texts, s.Text), append(kinds, s.Kind)
	}
	for _, base := range []string{"starter", "testdata/typed", "testdata/roberta", "testdata/encoder-old"} {
		for _, where := range engines(t) {
			e := openEmbedderForTest(t, Options{Model: base, ONNXRuntime: where})
			features, err := e.EmbedAll(t.Context(), texts)
			if err != nil {
				t.Fatal(err)
			}
			examples := make([]learn.Example, len(texts))
			for i := range examples {
				examples[i] = learn.Example{Features: features[i], Label: kinds[i], Weight: 1}
			}
			head, err := learn.FitHead(t.Context(), examples, 1e-3)
			if err != nil {
				t.Fatal(err)
			}
			first, again := t.TempDir(), t.TempDir()
			version, err := e.WriteClassifier(first, head)
			if err != nil {
				t.Fatal(err)
			}
			for _, other := range engines(t) {
				c := mustOpen(t, Options{Model: first, ONNXRuntime: other})
				if c.Version() != version || version == e.Version() || !slices.Equal(c.Labels(), head.Labels) {
					t.Errorf("%s: version %s, written %s, labels %q", base, c.Version(), version, c.Labels())
				}
				for i, r := range c.ClassifyAll(t.Context(), texts) {
					if r.Err != nil {
						t.Fatal(r.Err)
					}
					want := head.Probabilities(features[i])
					for _, s := range r.Scores {
						if w := want[slices.Index(head.Labels, s.Label)]; math.Abs(s.Probability-w) > 1e-5 {
							t.Errorf("%s from %s, on %s: %q: %s %v, the head says %v", base, e.Engine(), c.Engine(), texts[i], s.Label, s.Probability, w)
						}
					}
				}
			}
			child := openEmbedderForTest(t, Options{Model: first, ONNXRuntime: where})
			if child.Dimensions() != e.Dimensions() {
				t.Errorf("%s: %d features, of what was made %d", base, e.Dimensions(), child.Dimensions())
			}
			if v, err := child.WriteClassifier(again, head); err != nil || v != version {
				t.Errorf("%s: made again, it has the version %s, not %s, %v", base, v, version, err)
			}
		}
	}
}

func TestWriteClassifierRefuses(t *testing.T) {
	t.Parallel()
	e := openEmbedderForTest(t, Options{ONNXRuntime: "off"})
	for name, head := range map[string]*learn.Head{
		"other features": {Labels: []string{"a", "b"}, Weights: [][]float64{{1}, {2}}, Bias: []float64{0, 0}},
		"no labels":      {},
	} {
		if v, err := e.WriteClassifier(t.TempDir(), head); err == nil {
			t.Errorf("%s: %s", name, v)
		}
	}
}

func TestOpenEmbedderExplains(t *testing.T) {
	t.Parallel()
	for want, name := range map[string]string{
		"neither \"starter\" nor a folder": "org/name",
		"no model.onnx":                    "./missing",
		"Unigram":                          "testdata/unigram",
	} {
		if e, err := OpenEmbedder(t.Context(), Options{Model: name, ONNXRuntime: "off"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v; want %q", name, e, err, want)
		}
	}
	odd := t.TempDir()
	if err := os.CopyFS(odd, os.DirFS("testdata/encoder")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(odd, "1_Pooling", "config.json"), []byte(`{"pooling_mode_max_tokens": true}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if e, err := OpenEmbedder(t.Context(), Options{Model: odd, ONNXRuntime: "off"}); err == nil || !strings.Contains(err.Error(), "pooling_mode_max_tokens is not supported") {
		t.Errorf("%v, %v", e, err)
	}
}
