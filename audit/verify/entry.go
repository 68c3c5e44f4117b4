package verify

import (
	"encoding/binary"
	"errors"
	"math"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// Entry is one row of hitl.log, every column of it.
type Entry struct {
	ID         int64
	ItemID     string
	At         int64 // microseconds since 1970 in UTC; the least and the greatest int64 are Postgres' -infinity and infinity
	Status     string
	TextRef    []byte // commitment to the text
	AILabel    string
	Confidence float64
	Label      string
	Reviewer   string
	Model      string
	Policy     string
	Context    string // JSON, to the byte
	Tx         uint64 // the transaction that inserted the row
}

// leafHeader begins every leaf: it names the encoding and its version. A changed encoding gets a new one, and
// old entries keep theirs.
const leafHeader = "hitl log entry 1\n"

// Leaf is the entry as the tree holds it:
//
//	the line "hitl log entry 1"
//	id, at, the bits of confidence (IEEE 754), tx: each as 8 bytes, big endian
//	item_id, status, text_ref, ai_label, label, reviewer, model, policy, context: each as 4 bytes of length, big endian, and its bytes
//
// Different entries have different leaves. All NaNs are one, since Postgres takes them for equal.
func (e Entry) Leaf() []byte { return e.AppendLeaf(nil) }

// AppendLeaf appends the entry's leaf to b.
func (e Entry) AppendLeaf(b []byte) []byte {
	b = append(b, leafHeader...)
	b = binary.BigEndian.AppendUint64(b, uint64(e.ID))
	b = binary.BigEndian.AppendUint64(b, uint64(e.At))
	confidence := e.Confidence
	if math.IsNaN(confidence) {
		confidence = math.NaN()
	}
	b = binary.BigEndian.AppendUint64(b, math.Float64bits(confidence))
	b = binary.BigEndian.AppendUint64(b, e.Tx)
	for _, field := range [...]string{
		e.ItemID, e.Status, string(e.TextRef), e.AILabel, e.Label, e.Reviewer, e.Model, e.Policy, e.Context,
	} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(field))) // Postgres holds no field of 4 GiB
		b = append(b, field...)
	}
	return b
}

// Hash is the hash of the entry's leaf.
func (e Entry) Hash() tlog.Hash { return tlog.RecordHash(e.Leaf()) }

// ParseLeaf returns the entry of a leaf. It takes no byte more or less than Leaf writes.
func ParseLeaf(leaf []byte) (Entry, error) {
	bad := errors.New("it is no leaf of a log entry")
	rest, ok := strings.CutPrefix(string(leaf), leafHeader)
	if !ok || len(rest) < 4*8 {
		return Entry{}, bad
	}
	number := func() uint64 {
		n := binary.BigEndian.Uint64([]byte(rest[:8]))
		rest = rest[8:]
		return n
	}
	e := Entry{ID: int64(number()), At: int64(number()), Confidence: math.Float64frombits(number()), Tx: number()}
	var textRef string
	for _, field := range [...]*string{&e.ItemID, &e.Status, &textRef, &e.AILabel, &e.Label, &e.Reviewer, &e.Model, &e.Policy, &e.Context} {
		if len(rest) < 4 {
			return Entry{}, bad
		}
		n := int64(binary.BigEndian.Uint32([]byte(rest[:4])))
		rest = rest[4:]
		if int64(len(rest)) < n {
			return Entry{}, bad
		}
		*field, rest = rest[:n], rest[n:]
	}
	e.TextRef = []byte(textRef)
	if rest != "" || string(e.Leaf()) != string(leaf) {
		return Entry{}, bad
	}
	return e, nil
}
