package verify

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/tlog"
)

// bundleVersion is the number in a bundle's first line. It counts up when older readers would misunderstand.
const bundleVersion = 1

// maxBundleLine bounds a line of a bundle: an entry with the largest comment and context that hitl takes is far below.
const maxBundleLine = 16 << 20

// bundleLine is a line of a bundle: the header, an entry or a checkpoint.
type bundleLine struct {
	Version    int          `json:"hitl_log,omitempty"`
	Entry      *bundleEntry `json:"entry,omitempty"`
	Checkpoint string       `json:"checkpoint,omitempty"`
}

// bundleEntry is an entry in JSON. A row that is gone has its id and its hash only.
type bundleEntry struct {
	Position int64  `json:"position"`
	Hash     string `json:"hash"` // in hex

	ID      int64  `json:"id"`
	Gone    bool   `json:"gone,omitempty"`
	ItemID  string `json:"item_id,omitempty"`
	At      int64  `json:"at_us,omitempty"`
	Status  string `json:"status,omitempty"`
	TextRef string `json:"text_ref,omitempty"` // in hex

	AILabel    string `json:"ai_label,omitempty"`
	Confidence string `json:"confidence,omitempty"` // as text: JSON has no NaN
	Label      string `json:"label,omitempty"`
	Reviewer   string `json:"reviewer,omitempty"`
	Model      string `json:"model,omitempty"`
	Policy     string `json:"policy,omitempty"`
	Context    string `json:"context,omitempty"` // as text: it counts to the byte
	Tx         uint64 `json:"tx,omitempty"`
}

// BundleWriter writes a log as JSON lines: a header, then every entry in order, each checkpoint behind the last entry that it covers. It
// holds all that a verification needs, and nothing of the texts. Call Flush at the end.
type BundleWriter struct {
	w   *bufio.Writer
	enc *json.Encoder
}

// NewBundleWriter begins a bundle.
func NewBundleWriter(w io.Writer) (*BundleWriter, error) {
	b := &BundleWriter{w: bufio.NewWriterSize(w, 1<<16)}
	b.enc = json.NewEncoder(b.w)
	b.enc.SetEscapeHTML(false)
	return b, b.write(bundleLine{Version: bundleVersion})
}

func (b *BundleWriter) write(l bundleLine) error {
	if err := b.enc.Encode(l); err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	return nil
}

// Line writes a position. A line without any hash cannot be written.
func (b *BundleWriter) Line(l Line) error {
	e := bundleEntry{Position: l.Position, ID: l.LogID, Gone: l.Entry == nil}
	switch {
	case l.Leaf != nil:
		e.Hash = hex.EncodeToString(l.Leaf[:])
	case l.Tile != nil:
		e.Hash = hex.EncodeToString(l.Tile[:])
	default:
		return fmt.Errorf("write bundle: position %d has no hash", l.Position)
	}
	if r := l.Entry; r != nil {
		for _, s := range []string{r.ItemID, r.Status, r.AILabel, r.Label, r.Reviewer, r.Model, r.Policy, r.Context} {
			if !utf8.ValidString(s) {
				return fmt.Errorf("write bundle: entry %d is not UTF-8", r.ID)
			}
		}
		e.ID, e.ItemID, e.At, e.Status, e.AILabel = r.ID, r.ItemID, r.At, r.Status, r.AILabel
		e.TextRef = hex.EncodeToString(r.TextRef)
		e.Confidence, e.Label, e.Reviewer = strconv.FormatFloat(r.Confidence, 'g', -1, 64), r.Label, r.Reviewer
		e.Model, e.Policy, e.Context, e.Tx = r.Model, r.Policy, r.Context, r.Tx
	}
	return b.write(bundleLine{Entry: &e})
}

// Checkpoint writes a note.
func (b *BundleWriter) Checkpoint(signed string) error {
	return b.write(bundleLine{Checkpoint: signed})
}

// Flush writes what is left.
func (b *BundleWriter) Flush() error {
	if err := b.w.Flush(); err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	return nil
}

// ReadBundle feeds a bundle to a verifier, line by line. It returns an error when the bundle cannot be read to its end; what was found
// until then stands in the verifier.
func ReadBundle(r io.Reader, v *Verifier) error {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(make([]byte, 1<<16), maxBundleLine)
	number := 0
	for scanner.Scan() {
		number++
		if err := readBundleLine(scanner.Bytes(), number == 1, v); err != nil {
			return fmt.Errorf("line %d of the bundle: %w", number, err)
		}
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("read bundle: %w", err)
	}
	if number == 0 {
		return errors.New("the bundle is empty")
	}
	return nil
}

func readBundleLine(data []byte, first bool, v *Verifier) error {
	var l bundleLine
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&l); err != nil {
		return fmt.Errorf("read JSON: %w", err)
	}
	switch {
	case first && l.Version != bundleVersion:
		return fmt.Errorf(`it is no bundle of a log, or one of another version: its first line should be {"hitl_log":%d}`, bundleVersion)
	case first:
		return nil
	case l.Checkpoint != "":
		// Without a signature that counts, its size says where it stands.
		c, err := OpenCheckpoint(l.Checkpoint, nil)
		if err != nil {
			c.Size = v.Size()
		}
		v.Checkpoint(l.Checkpoint, max(c.Size, v.Size()))
		return nil
	case l.Entry == nil:
		return errors.New("it is neither an entry nor a checkpoint")
	}
	line, err := l.Entry.line()
	if err != nil {
		return err
	}
	if line.Position < v.Size() {
		return fmt.Errorf("position %d comes again, or out of order", line.Position)
	}
	if line.Position-v.Size() > maxProblems { // they would not be listed anyway
		return fmt.Errorf("positions %d to %d are missing", v.Size(), line.Position-1)
	}
	for v.Size() < line.Position {
		v.Line(Line{Position: v.Size()})
	}
	v.Line(line)
	return nil
}

func (e *bundleEntry) line() (Line, error) {
	l := Line{Position: e.Position, LogID: e.ID}
	hash, err := hex.DecodeString(e.Hash)
	if err != nil || len(hash) != tlog.HashSize {
		return l, fmt.Errorf("hash of position %d is %q", e.Position, e.Hash)
	}
	l.Leaf = (*tlog.Hash)(hash)
	if e.Gone {
		return l, nil
	}
	confidence, err := strconv.ParseFloat(e.Confidence, 64)
	if err != nil && !math.IsInf(confidence, 0) {
		return l, fmt.Errorf("confidence of position %d is %q", e.Position, e.Confidence)
	}
	textRef, err := hex.DecodeString(e.TextRef)
	if err != nil {
		return l, fmt.Errorf("text_ref of position %d is %q", e.Position, e.TextRef)
	}
	l.Entry = &Entry{
		ID: e.ID, ItemID: e.ItemID, At: e.At, Status: e.Status, TextRef: textRef, AILabel: e.AILabel, Confidence: confidence, Label: e.Label,
		Reviewer: e.Reviewer, Model: e.Model, Policy: e.Policy, Context: e.Context, Tx: e.Tx,
	}
	return l, nil
}
