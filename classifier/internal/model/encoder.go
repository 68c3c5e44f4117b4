package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
)

// poolingFile says in sentence-transformers' layout how the vectors of tokens become one.
const poolingFile = "1_Pooling/config.json"

// Encoder is a model that texts' features are taken from: any that Open takes, or one for feature extraction, which needs no labels.
type Encoder struct {
	Model
	Type     string // model_type of config.json
	FirstOne bool   // the first token's vector stands for the text, and not the mean of all
}

// OpenEncoder reads the encoder in folder.
func OpenEncoder(folder fs.FS, network string) (*Encoder, error) {
	e := &Encoder{}
	m, err := read(folder, network, func(_ *Model, conf *config) error {
		e.Type = conf.ModelType
		return nil
	})
	if err != nil {
		return nil, err
	}
	e.Model = *m
	data, err := readFile(folder, poolingFile)
	if _, missing := fs.Stat(folder, poolingFile); errors.Is(missing, fs.ErrNotExist) {
		return e, nil
	}
	if err != nil {
		return nil, err
	}
	var modes map[string]any
	if err := json.Unmarshal(data, &modes); err != nil {
		return nil, fmt.Errorf("read %s: %w", poolingFile, err)
	}
	on := func(mode string) bool { return modes["pooling_mode_"+mode] == true }
	for _, mode := range []string{"max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken"} {
		if on(mode) {
			return nil, fmt.Errorf("%s: pooling_mode_%s is not supported; mean_tokens and cls_token are", poolingFile, mode)
		}
	}
	if on("mean_tokens") && on("cls_token") {
		return nil, fmt.Errorf("%s: two kinds of pooling together are not supported", poolingFile)
	}
	e.FirstOne = on("cls_token")
	return e, nil
}

// ClassifierConfig returns the config.json of a classifier with these labels on top of the encoder whose config.json is given: what it says of
// the encoder stays.
func ClassifierConfig(encoder []byte, labels []string) ([]byte, error) {
	conf := map[string]json.RawMessage{}
	if err := json.Unmarshal(encoder, &conf); err != nil {
		return nil, fmt.Errorf("read %s: %w", configFile, err)
	}
	names, ids := map[string]string{}, map[string]int{}
	for i, label := range labels {
		names[strconv.Itoa(i)], ids[label] = label, i
	}
	delete(conf, "architectures") // of the encoder's own head
	delete(conf, "num_labels")
	for key, v := range map[string]any{"id2label": names, "label2id": ids, "problem_type": "single_label_classification"} {
		raw, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		conf[key] = raw
	}
	out, err := json.MarshalIndent(conf, "", "  ")
	return append(out, '\n'), err
}
