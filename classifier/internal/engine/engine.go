// Package engine runs a text classification network: token ids in, logits out.
//
// Two engines stand behind one interface. [OpenGo] is hugot's pure-Go backend, always there, fit for small models. [OpenRuntime]
// is ONNX Runtime, tens of times faster on transformers: compiled in wherever cgo is, used when its shared library is found.
//
// Neither takes a context: what they compute on cannot be taken away in the middle, so a caller that gives up leaves its
// batch running. They are for one goroutine.
package engine

import (
	"errors"
	"fmt"
	"slices"
)

// Engine runs one loaded network. Its methods are for one goroutine at a time, and none may follow Close.
type Engine interface {
	// Run returns the logits of each row of token ids. Rows are neither empty nor longer than the network reads; there may
	// be any number of them but none, and those of similar length together cost least.
	Run(rows [][]uint32) ([][]float32, error)
	// Name says what runs, for people.
	Name() string
	// Close frees the network.
	Close() error
}

// Network is what an engine loads.
type Network struct {
	Path      string // of the .onnx file; its external data lies beside it
	MaxTokens int    // longest row
	MaxBatch  int    // most rows that are run at once
	Pad       uint32 // id that fills rows up
}

// ErrNoRuntime says that no ONNX Runtime library is there to use.
var ErrNoRuntime = errors.New("no ONNX Runtime")

// knownInputs are the inputs that engines can fill from token ids.
var knownInputs = []string{"input_ids", "attention_mask", "token_type_ids"}

// port is an input or output of a network. Unknown dimensions are negative.
type port struct {
	name string
	dims []int64
}

// checkPorts refuses networks that are no text classifiers, and returns the index of the output that holds the logits.
func checkPorts(inputs, outputs []port) (int, error) {
	ids := false
	for _, in := range inputs {
		if !slices.Contains(knownInputs, in.name) {
			return 0, fmt.Errorf("network has an input %q; known are %q", in.name, knownInputs)
		}
		if len(in.dims) != 2 {
			return 0, fmt.Errorf("input %q has %d dimensions, want batch and sequence", in.name, len(in.dims))
		}
		ids = ids || in.name == "input_ids"
	}
	if !ids {
		return 0, errors.New("network has no input input_ids")
	}
	if len(outputs) == 0 {
		return 0, errors.New("network has no output")
	}
	logits := slices.IndexFunc(outputs, func(p port) bool { return p.name == "logits" })
	if logits < 0 {
		logits = 0
		if len(outputs) > 1 {
			return 0, fmt.Errorf("network has %d outputs and none is named logits", len(outputs))
		}
	}
	if got := len(outputs[logits].dims); got != 2 {
		return 0, fmt.Errorf("output %q has %d dimensions, want batch and labels: is this a model for text classification?", outputs[logits].name, got)
	}
	return logits, nil
}

// fill returns the values of an input for rows that are padded to length, row after row.
func fill(input string, rows [][]uint32, length int, pad uint32) []int64 {
	flat := make([]int64, len(rows)*length)
	for r, row := range rows {
		line := flat[r*length : (r+1)*length]
		switch input {
		case "input_ids":
			for i := range line {
				if i < len(row) {
					line[i] = int64(row[i])
				} else {
					line[i] = int64(pad)
				}
			}
		case "attention_mask":
			for i := range row {
				line[i] = 1
			}
		}
	}
	return flat
}

// cut makes rows of a flat output.
func cut(flat []float32, rows int) ([][]float32, error) {
	if rows == 0 || len(flat)%rows != 0 || len(flat) == 0 {
		return nil, fmt.Errorf("network gave %d values for %d rows", len(flat), rows)
	}
	width := len(flat) / rows
	out := make([][]float32, rows)
	for i := range out {
		out[i] = slices.Clone(flat[i*width : (i+1)*width])
	}
	return out, nil
}
