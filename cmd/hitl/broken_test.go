package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"hitl/classifier/starter"
)

// brokenModel is a copy of the starter model whose word vectors are not numbers: it loads, and fails on every text.
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
	table := largestTable(t, network)                   // that of the word vectors
	copy(table, bytes.Repeat([]byte{0xff}, len(table))) // any four bytes of 0xff are a NaN
	if err := os.WriteFile(path, network, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// largestTable returns the raw data of the largest initializer of an ONNX file, as a part of it.
func largestTable(t *testing.T, network []byte) []byte {
	t.Helper()
	const graph, initializer, rawData = 7, 5, 9 // fields of ModelProto, GraphProto, TensorProto
	var largest []byte
	var walk func(message []byte, path ...protowire.Number)
	walk = func(message []byte, path ...protowire.Number) {
		for len(message) > 0 {
			number, kind, n := protowire.ConsumeTag(message)
			if n < 0 {
				t.Fatal(protowire.ParseError(n))
			}
			message = message[n:]
			if n = protowire.ConsumeFieldValue(number, kind, message); n < 0 {
				t.Fatal(protowire.ParseError(n))
			}
			if number == path[0] && kind == protowire.BytesType {
				value, _ := protowire.ConsumeBytes(message[:n])
				if len(path) > 1 {
					walk(value, path[1:]...)
				} else if len(value) > len(largest) {
					largest = value
				}
			}
			message = message[n:]
		}
	}
	walk(network, graph, initializer, rawData)
	if largest == nil {
		t.Fatal("the network has no tables")
	}
	return largest
}
