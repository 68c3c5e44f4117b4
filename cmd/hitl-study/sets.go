package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"hitl/classifier"
)

// labelled is a text of a public set.
type labelled struct {
	raw, truth, file string
	words            []string
	hash             string // of the words, hex
}

func newLabelled(raw, truth, file string) labelled {
	words := wordsOf(raw)
	sum := sha256.Sum256([]byte(strings.Join(words, " ")))
	return labelled{strings.TrimSpace(raw), truth, file, words, hex.EncodeToString(sum[:])}
}

// distinct keeps texts with the same words once, those with two labels never, and those without words never.
func distinct(all []labelled) []labelled {
	truths := map[string]string{}
	var out []labelled
	contradicted := map[string]bool{}
	for _, l := range all {
		truth, seen := truths[l.hash]
		switch {
		case len(l.words) == 0:
		case !seen:
			truths[l.hash] = l.truth
			out = append(out, l)
		case truth != l.truth:
			contradicted[l.hash] = true
		}
	}
	return slices.DeleteFunc(out, func(l labelled) bool { return contradicted[l.hash] })
}

// load reads the public sets and makes the scenarios of them.
func load(ctx context.Context, folder string) ([]scenario, error) {
	sentences, err := readSentences(folder)
	if err != nil {
		return nil, err
	}
	mail, err := readMail(folder)
	if err != nil {
		return nil, err
	}
	news, err := readNews(folder)
	if err != nil {
		return nil, err
	}
	heldOut, err := starterHeldOut(sentences)
	if err != nil {
		return nil, err
	}
	known, err := starterScores(ctx, heldOut)
	if err != nil {
		return nil, err
	}
	return []scenario{
		{name: "sentences, starter model", pool: known, length: 6000},
		{name: "mail, from no model", pool: bags(mail), fromZero: true, length: 4500},
		{name: "news, from no model", pool: bags(news), fromZero: true, length: 5500},
		{name: "sentences, from no model", pool: bags(sentences), fromZero: true, length: 2200},
	}, nil
}

func bags(all []labelled) []*text {
	out := make([]*text, len(all))
	for i, l := range all {
		out[i] = &text{truth: l.truth, features: hashed(l.words)}
	}
	return out
}

// readSentences reads UCI's Sentiment Labelled Sentences.
func readSentences(folder string) ([]labelled, error) {
	files, err := sentencesArchive.open(folder, func(p string) bool {
		return strings.HasPrefix(p, "package/test/fixtures/") && strings.HasSuffix(p, ".json")
	})
	if err != nil {
		return nil, err
	}
	var all []labelled
	for _, f := range files {
		var rows []*struct {
			Text  *string `json:"text"`
			Class *int    `json:"class"`
		}
		if err := json.Unmarshal(f.body, &rows); err != nil {
			return nil, fmt.Errorf("read %s: %w", f.path, err)
		}
		name := strings.TrimSuffix(path.Base(f.path), ".json")
		for _, r := range rows {
			if r != nil && r.Text != nil && r.Class != nil {
				all = append(all, newLabelled(*r.Text, [...]string{"NEGATIVE", "POSITIVE"}[*r.Class], name))
			}
		}
	}
	return distinct(all), nil
}

// heldOutSum is the SHA-256 of classifier/starter/held_out.txt: the hashes of the sentences that the starter model has not seen, a line each.
const heldOutSum = "6b09d494a1a687ac9c944539a5305ff5041a817530be917e33e2db46436d1a84"

// starterHeldOut returns those sentences: of each file the 200 with the least hashes, as classifier/starter/train chose them.
func starterHeldOut(all []labelled) ([]labelled, error) {
	byHash := slices.SortedFunc(slices.Values(all), func(a, b labelled) int { return cmp.Compare(a.hash, b.hash) })
	taken := map[string]int{}
	var out []labelled
	sum := sha256.New()
	for _, l := range byHash {
		if taken[l.file] < 200 {
			taken[l.file]++
			out = append(out, l)
			_, _ = fmt.Fprintln(sum, l.hash)
		}
	}
	if hex.EncodeToString(sum.Sum(nil)) != heldOutSum {
		return nil, errors.New("the sentences are not those that the starter model was made of: which it has not seen is unknown")
	}
	return out, nil
}

// starterScores asks the starter model.
func starterScores(ctx context.Context, all []labelled) (out []*text, err error) {
	c, err := classifier.Open(ctx, classifier.Options{Model: "starter", ONNXRuntime: "off"})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	raw := make([]string, len(all))
	for i, l := range all {
		raw[i] = l.raw
	}
	for i, r := range c.ClassifyAll(ctx, raw) {
		if r.Err != nil {
			return nil, r.Err
		}
		out = append(out, &text{truth: all[i].truth, scores: r.Scores})
	}
	return out, nil
}

var subject = regexp.MustCompile(`(?mi)^subject:(.*)$`)

// mailBytes is how much of a mail's body is read: attachments come after what tells it.
const mailBytes = 4000

// readMail reads SpamAssassin's public corpus.
func readMail(folder string) ([]labelled, error) {
	files, err := mailArchive.open(folder, func(p string) bool { return strings.HasPrefix(p, "package/data/") && strings.HasSuffix(p, ".txt") })
	if err != nil {
		return nil, err
	}
	var all []labelled
	for _, f := range files {
		head, body, _ := bytes.Cut(f.body, []byte("\n\n"))
		raw := string(body[:min(len(body), mailBytes)])
		if s := subject.FindSubmatch(head); s != nil {
			raw = string(s[1]) + "\n" + raw
		}
		truth := "HAM"
		if strings.HasPrefix(path.Base(path.Dir(f.path)), "spam") {
			truth = "SPAM"
		}
		all = append(all, newLabelled(raw, truth, "mail"))
	}
	return distinct(all), nil
}

// readNews reads the R8 part of Reuters-21578, both halves. The files begin with three lines of a header.
func readNews(folder string) ([]labelled, error) {
	files, err := newsArchive.open(folder, func(p string) bool { return strings.Contains(p, "/reuters-r8-") && strings.HasSuffix(p, ".tab") })
	if err != nil {
		return nil, err
	}
	var all []labelled
	for _, f := range files {
		lines := strings.Split(strings.TrimSpace(string(f.body)), "\n")
		for _, line := range lines[min(3, len(lines)):] {
			if truth, raw, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
				all = append(all, newLabelled(raw, truth, "news"))
			}
		}
	}
	return distinct(all), nil
}
