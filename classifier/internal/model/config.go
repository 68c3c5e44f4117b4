package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
)

// config is the part of config.json and tokenizer_config.json that matters here.
type config struct {
	ModelType    string            `json:"model_type"`
	ProblemType  string            `json:"problem_type"`
	ID2Label     map[string]string `json:"id2label"`
	MaxPositions int               `json:"max_position_embeddings"`
	PadTokenID   int               `json:"pad_token_id"`
	VocabSize    int64             `json:"vocab_size"`

	// ModelMaxLength is from tokenizer_config.json, where 1e30 stands for no limit.
	ModelMaxLength float64 `json:"-"`
}

func readConfig(folder fs.FS) (*config, error) {
	data, err := readFile(folder, configFile)
	if err != nil {
		return nil, err
	}
	var c config
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("read %s: %w", configFile, err)
	}
	if _, err := fs.Stat(folder, tokenizerConfigFile); errors.Is(err, fs.ErrNotExist) {
		return &c, nil
	}
	if data, err = readFile(folder, tokenizerConfigFile); err != nil {
		return nil, err
	}
	var t struct {
		ModelMaxLength float64 `json:"model_max_length"`
		TruncationSide string  `json:"truncation_side"`
	}
	if err := json.Unmarshal(data, &t); err != nil {
		return nil, fmt.Errorf("read %s: %w", tokenizerConfigFile, err)
	}
	if t.TruncationSide == "left" {
		return nil, fmt.Errorf("%s: truncation_side left is not supported: long texts are cut at their end", tokenizerConfigFile)
	}
	c.ModelMaxLength = t.ModelMaxLength
	return &c, nil
}

// labels returns the labels in the order of the logits.
func (c *config) labels() ([]string, error) {
	if c.ProblemType != "" && c.ProblemType != "single_label_classification" {
		return nil, fmt.Errorf("problem_type is %q; only single_label_classification, one label for each text, is supported", c.ProblemType)
	}
	if len(c.ID2Label) < 2 {
		return nil, fmt.Errorf("id2label names %d labels, want two or more", len(c.ID2Label))
	}
	out, seen := make([]string, len(c.ID2Label)), make(map[string]bool)
	for i := range out {
		label, ok := c.ID2Label[strconv.Itoa(i)]
		if !ok {
			return nil, fmt.Errorf("id2label has %d labels and none for %d", len(out), i)
		}
		if label == "" || seen[label] {
			return nil, fmt.Errorf("id2label names %q twice or leaves a name empty", label)
		}
		out[i], seen[label] = label, true
	}
	return out, nil
}

// maxTokens returns how many tokens the network reads: the smallest limit that any file states.
func (c *config) maxTokens() (int, error) {
	limit := c.MaxPositions
	switch c.ModelType {
	case "roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "longformer", "mpnet":
		// Positions are counted from the padding id on, so the first ones are never used.
		if limit > 0 {
			limit -= c.PadTokenID + 1
		}
	}
	const sane = 1 << 20
	if l := c.ModelMaxLength; l >= 1 && l < sane && (limit <= 0 || int(l) < limit) {
		limit = int(l)
	}
	if limit <= 0 || limit > sane {
		return 0, fmt.Errorf("neither max_position_embeddings in %s nor model_max_length in %s says how long an input may be", configFile, tokenizerConfigFile)
	}
	return limit, nil
}
