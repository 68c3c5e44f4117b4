// Package starter holds a small text classifier that travels inside the binary, so that the service works before anyone has
// chosen a model: the sentiment of short English customer messages, with the labels NEGATIVE and POSITIVE.
//
// It is a real model, trained by the program in train/ and described, with its held-out figures and its limits, in README.md.
// [FS] is a folder in Hugging Face's layout, and is meant to be loaded the way any other model folder is:
//
//	model.onnx               float32; inputs input_ids and attention_mask, int64, batch × sequence; output logits, batch × 2
//	tokenizer.json           lower-casing BERT WordPiece with a vocabulary of its own
//	config.json              labels, and the longest input in tokens (128, with [CLS] and [SEP])
//	tokenizer_config.json
//	special_tokens_map.json
//
// The softmax of the logits is calibrated: the temperature that cross-validation chose is part of the last layer.
package starter

import (
	"embed"
	"io/fs"
)

//go:embed model
var files embed.FS

// FS returns the model folder, with its files at the root. It is read-only and safe for concurrent use.
func FS() fs.FS {
	folder, err := fs.Sub(files, "model")
	if err != nil { // only a path that is invalid by its form is an error, and this one is a constant
		panic(err)
	}
	return folder
}
