package starter

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
)

//go:embed samples.jsonl
var samples string

// Sample is a customer message, written for demonstrations. None of them was learned from.
type Sample struct {
	Text string `json:"text"`
	// Kind is what a person would say of it: positive, negative, mixed (or merely a question), odd, or long.
	Kind string `json:"kind"`
}

// Samples returns the messages in a fixed order. The slice is the caller's.
func Samples() []Sample {
	var out []Sample
	for line := range strings.Lines(samples) {
		var sample Sample
		if err := json.Unmarshal([]byte(line), &sample); err != nil { // the file is part of the binary, a test reads it whole
			panic(fmt.Sprintf("starter: sample %d: %v", len(out)+1, err))
		}
		out = append(out, sample)
	}
	return out
}
