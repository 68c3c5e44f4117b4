package model

import (
	"encoding/json"
	"errors"
	"fmt"

	"hitl/classifier/internal/wordpiece"
)

// Tokenizer turns texts into token ids. It is safe for concurrent use.
type Tokenizer interface {
	// Encode returns at most limit ids, special tokens included; truncated says that the text had more.
	Encode(text string, limit int) (ids []uint32, truncated bool)
	// Specials is how many of the ids of every text are special tokens.
	Specials() int
	// Pad is the id that fills a row up.
	Pad() uint32
	// MaxID is the largest id that Encode may return.
	MaxID() uint32
}

// parseTokenizer picks the tokenizer for a tokenizer.json. A kind that would give other ids than the model was trained on is
// refused: the predictions would be wrong and look right.
func parseTokenizer(data []byte) (Tokenizer, error) {
	var kind struct {
		Model struct {
			Type string `json:"type"`
		} `json:"model"`
	}
	if err := json.Unmarshal(data, &kind); err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	switch kind.Model.Type {
	case "WordPiece":
		return wordpiece.Parse(data)
	case "BPE":
		return parseByteBPE(data)
	case "":
		return nil, errors.New("model.type is missing; save the tokenizer again with a current version of the tokenizers library")
	default:
		return nil, fmt.Errorf("model.type %q is not supported; WordPiece (BERT and its kin) and byte-level BPE (RoBERTa) are", kind.Model.Type)
	}
}
