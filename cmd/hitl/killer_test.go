package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"hitl/classifier/starter"
)

// killerModel is a copy of the starter model that kills the process on texts with a word of its vocabulary, and is as good as the starter on
// all others. It puts a chain before the first node that reads token ids, which adds zero times 1/(ids - the word's id): an integer divided
// by zero, which panics in a goroutine of the pure-Go backend, where nobody can recover when it is mortal.
func killerModel(t *testing.T, word string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "killer")
	if err := os.CopyFS(dir, starter.FS()); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	var tokenizer struct {
		Model struct{ Vocab map[string]int64 }
	}
	if err := json.Unmarshal(raw, &tokenizer); err != nil {
		t.Fatal(err)
	}
	id, ok := tokenizer.Model.Vocab[word]
	if !ok {
		t.Fatalf("the starter's vocabulary has no %q", word)
	}
	path := filepath.Join(dir, "model.onnx")
	network, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, divideBefore(t, network, id), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Fields of ONNX's messages (onnx.proto).
const (
	modelGraph                       = 7
	graphNode, graphInitializer      = 1, 5
	nodeInput, nodeOutput, nodeOp    = 1, 2, 4
	tensorType, tensorInts, tensorID = 2, 7, 8
	typeInt64                        = 7
)

// divideBefore lets the nodes that read input_ids read what the chain makes of them.
func divideBefore(t *testing.T, network []byte, id int64) []byte {
	return rewrite(t, network, modelGraph, func(graph []byte) []byte {
		var out []byte
		for _, n := range []struct{ op, a, b, out string }{
			{"Sub", "input_ids", "killer_id", "killer_distance"},
			{"Div", "killer_one", "killer_distance", "killer_quotient"},
			{"Mul", "killer_quotient", "killer_zero", "killer_nothing"},
			{"Add", "input_ids", "killer_nothing", "killer_ids"},
		} {
			node := protowire.AppendString(protowire.AppendTag(nil, nodeInput, protowire.BytesType), n.a)
			node = protowire.AppendString(protowire.AppendTag(node, nodeInput, protowire.BytesType), n.b)
			node = protowire.AppendString(protowire.AppendTag(node, nodeOutput, protowire.BytesType), n.out)
			node = protowire.AppendString(protowire.AppendTag(node, nodeOp, protowire.BytesType), n.op)
			out = protowire.AppendBytes(protowire.AppendTag(out, graphNode, protowire.BytesType), node)
		}
		for name, value := range map[string]int64{"killer_id": id, "killer_one": 1, "killer_zero": 0} { // of no dimension
			tensor := protowire.AppendVarint(protowire.AppendTag(nil, tensorType, protowire.VarintType), typeInt64)
			ints := protowire.AppendVarint(nil, uint64(value))
			tensor = protowire.AppendBytes(protowire.AppendTag(tensor, tensorInts, protowire.BytesType), ints)
			tensor = protowire.AppendString(protowire.AppendTag(tensor, tensorID, protowire.BytesType), name)
			out = protowire.AppendBytes(protowire.AppendTag(out, graphInitializer, protowire.BytesType), tensor)
		}
		return append(out, rewrite(t, graph, graphNode, func(node []byte) []byte {
			return rewrite(t, node, nodeInput, func(input []byte) []byte {
				if string(input) == "input_ids" {
					return []byte("killer_ids")
				}
				return input
			})
		})...)
	})
}

// rewrite returns a message with each value of a field changed.
func rewrite(t *testing.T, message []byte, field protowire.Number, change func([]byte) []byte) []byte {
	t.Helper()
	var out []byte
	for len(message) > 0 {
		number, kind, head := protowire.ConsumeTag(message)
		if head < 0 {
			t.Fatal(protowire.ParseError(head))
		}
		n := protowire.ConsumeFieldValue(number, kind, message[head:])
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		if number == field && kind == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(message[head:])
			out = protowire.AppendBytes(protowire.AppendTag(out, number, kind), change(value))
		} else {
			out = append(out, message[:head+n]...)
		}
		message = message[head+n:]
	}
	return out
}
