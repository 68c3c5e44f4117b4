package starter_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/knights-analytics/hugot"
	"github.com/knights-analytics/hugot/backends"
	"github.com/knights-analytics/hugot/options"
	"github.com/knights-analytics/hugot/pipelines"

	"hitl/classifier/starter"
)

const (
	longest   = 128
	tolerance = 1e-4
)

// recording is what ONNX Runtime and Hugging Face's tokenizers said when the model was made.
type recording struct {
	Text          string     `json:"text"`
	IDs           []uint32   `json:"ids"`
	Probabilities [2]float64 `json:"probabilities"`
}

func TestHugotAgreesWithRecordings(t *testing.T) {
	t.Parallel()
	recordings := readRecordings(t)
	pipeline := load(t, []int{1, 8, 64}, []int{32, longest})

	t.Run("ids", func(t *testing.T) {
		// One batch of all lengths, padded to the longest: padding must change nothing.
		logits := runIDs(t, pipeline, recordings)
		for i, recorded := range recordings {
			compare(t, recorded, softmax(logits[i]))
		}
	})
	t.Run("each alone", func(t *testing.T) {
		for _, recorded := range recordings {
			compare(t, recorded, softmax(runIDs(t, pipeline, []recording{recorded})[0]))
		}
	})
	t.Run("texts", func(t *testing.T) {
		for _, recorded := range recordings {
			if len(recorded.IDs) == longest { // was cut, which hugot's tokenizer does not do
				continue
			}
			output, err := pipeline.RunPipeline(t.Context(), []string{recorded.Text})
			if err != nil {
				t.Fatalf("%q: %v", recorded.Text, err)
			}
			got := make(map[string]float64)
			for _, class := range output.ClassificationOutputs[0] {
				got[class.Label] = float64(class.Score)
			}
			compare(t, recorded, [2]float64{got["NEGATIVE"], got["POSITIVE"]})
		}
	})
}

func TestMostClearSamplesAreRight(t *testing.T) {
	t.Parallel()
	pipeline := load(t, []int{64}, []int{64})
	want := map[string]string{"positive": "POSITIVE", "negative": "NEGATIVE"}
	var texts, labels []string
	for _, sample := range starter.Samples() {
		if label, ok := want[sample.Kind]; ok {
			texts, labels = append(texts, sample.Text), append(labels, label)
		}
	}
	output, err := pipeline.RunPipeline(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	wrong := 0
	for i, classes := range output.ClassificationOutputs {
		top := classes[0]
		for _, class := range classes[1:] {
			if class.Score > top.Score {
				top = class
			}
		}
		if top.Label != labels[i] {
			wrong++
			t.Logf("%q: %s (%.2f)", texts[i], top.Label, top.Score)
		}
	}
	if allowed := len(texts) / 8; wrong > allowed {
		t.Errorf("%d of %d clear samples are wrong, %d are allowed", wrong, len(texts), allowed)
	}
}

// BenchmarkTexts measures the graph alone, on texts that are tokenised already: what hugot adds is in, tokenising is not.
// Run it with GOMAXPROCS=1 for texts a second on one core.
func BenchmarkTexts(b *testing.B) {
	for _, shape := range []struct {
		name            string
		batch, sequence int
	}{{"1x32", 1, 32}, {"8x32", 8, 32}, {"32x32", 32, 32}, {"32x128", 32, 128}} {
		b.Run(shape.name, func(b *testing.B) {
			pipeline := load(b, []int{shape.batch}, []int{shape.sequence})
			inputs := make([]recording, shape.batch)
			for i := range inputs {
				inputs[i].IDs = make([]uint32, shape.sequence)
				for at := range inputs[i].IDs {
					inputs[i].IDs[at] = uint32(100 + (i*31+at*17)%8000)
				}
			}
			runIDs(b, pipeline, inputs) // compiles the shape
			for b.Loop() {
				runIDs(b, pipeline, inputs)
			}
			b.ReportMetric(float64(b.N*shape.batch)/b.Elapsed().Seconds(), "texts/s")
		})
	}
}

func load(tb testing.TB, batches, lengths []int) *pipelines.TextClassificationPipeline {
	tb.Helper()
	folder := tb.TempDir()
	if err := os.CopyFS(folder, starter.FS()); err != nil {
		tb.Fatal(err)
	}
	// The clean-up below runs after the test's own context has ended.
	ctx := context.WithoutCancel(tb.Context())
	session, err := hugot.NewGoSession(ctx, options.WithGoMLXBatchBuckets(batches), options.WithGoMLXSequenceBuckets(lengths))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := session.Destroy(); err != nil {
			tb.Errorf("destroy session: %v", err)
		}
	})
	pipeline, err := hugot.NewPipeline(session, hugot.TextClassificationConfig{
		ModelPath: folder,
		Name:      "starter",
		Options:   []hugot.TextClassificationOption{pipelines.WithSoftmax(), pipelines.WithMultiLabel()},
	})
	if err != nil {
		tb.Fatal(err)
	}
	if diff := cmp.Diff(map[int]string{0: "NEGATIVE", 1: "POSITIVE"}, pipeline.Model.IDLabelMap); diff != "" {
		tb.Errorf("labels (-want +got):\n%s", diff)
	}
	return pipeline
}

func runIDs(tb testing.TB, pipeline *pipelines.TextClassificationPipeline, inputs []recording) [][]float32 {
	tb.Helper()
	batch := backends.NewBatch(len(inputs))
	for _, input := range inputs {
		mask := make([]uint32, len(input.IDs))
		for i := range mask {
			mask[i] = 1
		}
		batch.Input = append(batch.Input, backends.TokenizedInput{TokenIDs: input.IDs, AttentionMask: mask})
		batch.MaxSequenceLength = max(batch.MaxSequenceLength, len(input.IDs))
	}
	if err := backends.CreateInputTensors(batch, pipeline.Model, pipeline.Runtime); err != nil {
		tb.Fatal(err)
	}
	defer func() {
		if err := batch.Destroy(); err != nil {
			tb.Errorf("destroy batch: %v", err)
		}
	}()
	if err := backends.RunSessionOnBatch(tb.Context(), batch, pipeline.BasePipeline); err != nil {
		tb.Fatal(err)
	}
	logits, ok := batch.OutputValues[0].([][]float32)
	if !ok {
		tb.Fatalf("the output is a %T", batch.OutputValues[0])
	}
	return logits
}

func softmax(logits []float32) [2]float64 {
	negative := 1 / (1 + math.Exp(float64(logits[1])-float64(logits[0])))
	return [2]float64{negative, 1 - negative}
}

func compare(t *testing.T, recorded recording, got [2]float64) {
	t.Helper()
	for label, want := range recorded.Probabilities {
		if math.Abs(got[label]-want) > tolerance || math.IsNaN(got[label]) {
			t.Errorf("%q: label %d has probability %.6f, recorded was %.6f", recorded.Text, label, got[label], want)
		}
	}
}

func readRecordings(t *testing.T) []recording {
	t.Helper()
	data, err := os.ReadFile("testdata/recorded.json")
	if err != nil {
		t.Fatal(err)
	}
	var recordings []recording
	if err := json.Unmarshal(data, &recordings); err != nil {
		t.Fatal(err)
	}
	if len(recordings) < 20 {
		t.Fatalf("%d recordings, want 20 or more", len(recordings))
	}
	return recordings
}
