package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"hitl/classifier/starter"
)

// brokenModel is a copy of the starter model whose word vectors are not numbers for many words: it loads, and fails on most texts.
func brokenModel(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "broken")
	if err := os.CopyFS(dir, starter.FS()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "model.onnx")
	network, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Four bytes of 0xff are a NaN wherever the float32 begins. The middle of the file lies within one table of vectors.
	middle := network[len(network)*3/10 : len(network)*7/10]
	copy(middle, bytes.Repeat([]byte{0xff}, len(middle)))
	if err := os.WriteFile(path, network, fs.FileMode(0o600)); err != nil {
		t.Fatal(err)
	}
	return dir
}
