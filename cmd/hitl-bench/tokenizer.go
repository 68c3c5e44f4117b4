package main

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"hitl/classifier"
)

//go:embed peer/tokenize.py
var tokenizeScript string

// openTokenizer holds our tokenizer against the one that the model was trained with, on one core each, once both gave the same ids for all texts.
func openTokenizer(ctx context.Context, b *bench) (*pair, error) {
	dir, err := b.minilm("fp32")
	if err != nil {
		return nil, err
	}
	texts, err := b.texts(b.size(2000, 100))
	if err != nil {
		return nil, err
	}
	for i := 0; i+5 < len(texts); i += 10 {
		texts[i] = strings.Join(texts[i:i+5], " ") // letters between notes
	}
	python, err := b.python()
	if err != nil {
		return nil, err
	}
	head, err := b.quickHead(ctx)
	if err != nil {
		return nil, err
	}
	folder, err := b.transformer(ctx, "fp32", head)
	if err != nil {
		return nil, err
	}
	e, err := classifier.Open(ctx, classifier.Options{Model: folder})
	if err != nil {
		return nil, err
	}
	b.onRowEnd(func(context.Context) error { return e.Close() })
	peer, said, err := b.startTokenizer(ctx, python, filepath.Join(dir, "tokenizer.json"), texts, e.MaxTokens())
	if err != nil {
		return nil, err
	}
	tokens := 0
	for i, text := range texts {
		ids, _ := e.Tokens(text)
		if !slices.Equal(ids, said.IDs[i]) {
			return nil, fmt.Errorf("the ids of %q differ:\nours %d\npeer %d", text, ids, said.IDs[i])
		}
		tokens += len(ids)
	}
	b.peers["tokenizers"] = said.Version
	return &pair{
		unit: "texts/s", peer: peer,
		ours: onOneCore(len(texts), func() error {
			for _, text := range texts {
				e.Tokens(text)
			}
			return nil
		}),
		note: func() string {
			return fmt.Sprintf("%d texts of %d tokens in the mean, equal ids; peer: encode_batch_fast, which finds no offsets", len(texts), tokens/len(texts))
		},
	}, nil
}

// python is that of the peers.
func (b *bench) python() (string, error) {
	python := filepath.Join(b.Cache, "venv", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		return "", missing("the peers in Python are missing: " + fetchHint)
	}
	return python, nil
}

// tokenized is the script's first line.
type tokenized struct {
	Version string     `json:"version"`
	IDs     [][]uint32 `json:"ids"`
}

// startTokenizer starts the script, which ends with the row.
func (b *bench) startTokenizer(ctx context.Context, python, tokenizer string, texts []string, limit int) (_ side, said tokenized, err error) {
	file := filepath.Join(b.dir, b.name("texts")+".json")
	data, err := json.Marshal(texts)
	if err != nil {
		return nil, said, err
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return nil, said, err
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), python, "-c", tokenizeScript, tokenizer, file, strconv.Itoa(limit))
	cmd.Env = append(os.Environ(), "TOKENIZERS_PARALLELISM=false", "RAYON_NUM_THREADS=1")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, said, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, said, err
	}
	if err := cmd.Start(); err != nil {
		return nil, said, fmt.Errorf("start the peer's tokenizer: %w", err)
	}
	b.onRowEnd(func(context.Context) error { return errors.Join(stdin.Close(), cmd.Wait()) })
	lines := bufio.NewReader(stdout)
	first, err := lines.ReadBytes('\n')
	if err != nil {
		return nil, said, fmt.Errorf("hear from the peer's tokenizer: %w", err)
	}
	if err := json.Unmarshal(first, &said); err != nil {
		return nil, said, err
	}
	return func(context.Context) (float64, error) {
		if _, err := io.WriteString(stdin, "again\n"); err != nil {
			return 0, err
		}
		line, err := lines.ReadString('\n')
		if err != nil {
			return 0, err
		}
		seconds, err := strconv.ParseFloat(strings.TrimSpace(line), 64)
		return float64(len(texts)) / seconds, err
	}, said, nil
}
