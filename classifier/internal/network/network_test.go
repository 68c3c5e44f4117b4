package network

import (
	"os"
	"testing"

	"pgregory.net/rapid"
)

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func parse(t testing.TB, data []byte) *Network {
	t.Helper()
	n, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

const (
	starterNetwork = "../../starter/model/model.onnx"
	bertNetwork    = "../../testdata/bert/model.onnx"
)

// The features of a classifier are what its last layer reads; cut there, that layer and its weights are gone, and nothing else.
func TestCut(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{starterNetwork: "hidden", bertNetwork: "mean"} {
		data := read(t, path)
		n := parse(t, data)
		nodes, weights := len(n.nodes), len(n.weights)
		tensor, err := n.Features(Mean)
		if err != nil || tensor != want {
			t.Fatalf("%s: features %q, %v", path, tensor, err)
		}
		cut, err := n.Cut(tensor)
		if err != nil {
			t.Fatal(err)
		}
		again := parse(t, cut)
		if len(again.nodes) != nodes-2 || len(again.weights) != weights-2 || len(again.outputs) != 1 || again.outputs[0].name != want || again.outputs[0].dims != 2 {
			t.Errorf("%s: %d nodes of %d, %d weights of %d, outputs %v", path, len(again.nodes), nodes, len(again.weights), weights, again.outputs)
		}
		for _, w := range again.weights {
			if !containsBytes(data, w.raw) {
				t.Errorf("%s: weight %s is not as it was", path, w.name)
			}
		}
	}
}

func containsBytes(data, part []byte) bool {
	for i := 0; i+len(part) <= len(data); i++ {
		if data[i] == part[0] && string(data[i:i+len(part)]) == string(part) {
			return true
		}
	}
	return false
}

// A grafted network can be grafted anew, and gets no larger by it.
func TestGraftAgain(t *testing.T) {
	t.Parallel()
	n := parse(t, read(t, starterNetwork))
	first, err := n.Graft("pooled", [][]float64{make([]float64, 48), make([]float64, 48), make([]float64, 48)}, make([]float64, 3))
	if err != nil {
		t.Fatal(err)
	}
	again := parse(t, first)
	tensor, err := again.Features(Mean)
	if err != nil || tensor != "pooled" || again.outputs[0].name != "logits" {
		t.Fatalf("features %q of outputs %v, %v", tensor, again.outputs, err)
	}
	second, err := again.Graft(tensor, [][]float64{make([]float64, 48), make([]float64, 48), make([]float64, 48)}, make([]float64, 3))
	if err != nil {
		t.Fatal(err)
	}
	if string(first) != string(second) {
		t.Errorf("%d bytes, grafted again %d, or others", len(first), len(second))
	}
}

func TestGraftRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		tensor  string
		weights [][]float64
		bias    []float64
	}{
		"no such tensor": {"nothing", [][]float64{{1}}, []float64{1}},
		"no labels":      {"pooled", nil, nil},
		"biases":         {"pooled", [][]float64{{1}}, []float64{1, 2}},
		"ragged":         {"pooled", [][]float64{{1}, {1, 2}}, []float64{1, 2}},
		"too large":      {"pooled", [][]float64{{1e300}}, []float64{1}},
	} {
		if _, err := parse(t, read(t, starterNetwork)).Graft(tt.tensor, tt.weights, tt.bias); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// What is broken is an error and no panic.
func TestParseBroken(t *testing.T) {
	t.Parallel()
	data := read(t, bertNetwork)
	rapid.Check(t, func(t *rapid.T) {
		broken := append([]byte{}, data...)
		broken = broken[:rapid.IntRange(0, len(broken)).Draw(t, "length")]
		for range rapid.IntRange(0, 5).Draw(t, "changes") {
			if len(broken) > 0 {
				broken[rapid.IntRange(0, len(broken)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
			}
		}
		n, err := Parse(broken)
		if err != nil {
			return
		}
		if tensor, err := n.Features(Mean); err == nil {
			_, _ = n.Cut(tensor)
		}
	})
	if _, err := Parse(nil); err == nil {
		t.Error("nothing is a network")
	}
}
