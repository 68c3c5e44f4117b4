package hitl

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of a submission. The transport may set lower ones.
const (
	MaxTextBytes       = 1 << 20 // 1 MiB of UTF-8
	MaxExternalIDBytes = 256
	MaxSubjectBytes    = 256
	MaxMetadataBytes   = 64 << 10 // of JSON
	maxMetadataDepth   = 16
)

// Item is one text with metadata from a source. (Source, ExternalID) is its idempotency key.
type Item struct {
	ID         string         // "itm_…", sortable by time
	Source     string         // name of a configured source
	ExternalID string         // the source's own id
	Text       string         // valid UTF-8 without NUL
	Metadata   map[string]any // as JSON decodes it; never nil
	Subject    string         // key of the person the text is about, for erasure; may be empty
	ReceivedAt time.Time
	BodyHash   [32]byte  // of text, metadata and subject: tells a replay from a conflict; zero once erased
	ErasedAt   time.Time // when text, metadata, subject and comments were erased; zero: they were not
	Trace      string    // W3C traceparent of its submission; "" when that was not recorded
}

// Submission is what a source sends.
type Submission struct {
	Source     string
	ExternalID string // empty: every submission is a new item
	Text       string
	Metadata   map[string]any
	Subject    string
}

// item checks a submission and makes it an item. Invalid UTF-8 and NUL, which no store can hold, become U+FFFD, before the
// body is hashed. Errors are *InvalidError.
func (s Submission) item(now time.Time) (Item, error) {
	if len(s.Text) > MaxTextBytes {
		return Item{}, &InvalidError{"text", fmt.Sprintf("is %d bytes long, the limit is %d", len(s.Text), MaxTextBytes)}
	}
	if strings.TrimSpace(s.Text) == "" {
		return Item{}, &InvalidError{"text", "is empty; send the text to classify"}
	}
	if err := checkKey("id", s.ExternalID, MaxExternalIDBytes); err != nil {
		return Item{}, err
	}
	if err := checkKey("subject", s.Subject, MaxSubjectBytes); err != nil {
		return Item{}, err
	}
	meta, err := cleanObject("metadata", s.Metadata, 0)
	if err != nil {
		return Item{}, err
	}
	it := Item{
		ID: NewID("itm", now), Source: s.Source, ExternalID: s.ExternalID, Text: CleanText(s.Text),
		Metadata: meta, Subject: s.Subject, ReceivedAt: now,
	}
	if it.ExternalID == "" {
		it.ExternalID = it.ID
	}
	metaJSON, err := json.Marshal(it.Metadata) // maps are written in key order
	if err != nil {
		return Item{}, &InvalidError{"metadata", "cannot be written as JSON: " + err.Error()}
	}
	if len(metaJSON) > MaxMetadataBytes {
		return Item{}, &InvalidError{"metadata", fmt.Sprintf("is %d bytes of JSON, the limit is %d", len(metaJSON), MaxMetadataBytes)}
	}
	it.BodyHash = bodyHash(it.Text, string(metaJSON), it.Subject)
	return it, nil
}

// bodyHash hashes its parts with their lengths, so that no two different bodies share an encoding.
func bodyHash(parts ...string) (sum [32]byte) {
	h := sha256.New()
	var n [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write([]byte(p))
	}
	h.Sum(sum[:0])
	return sum
}

func checkKey(field, key string, limit int) error {
	switch {
	case len(key) > limit:
		return &InvalidError{field, fmt.Sprintf("is %d bytes long, the limit is %d", len(key), limit)}
	case !utf8.ValidString(key):
		return &InvalidError{field, "is not valid UTF-8"}
	case strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return &InvalidError{field, "contains control characters"}
	}
	return nil
}

// CleanText replaces what Postgres cannot store as text, invalid UTF-8 and NUL, by U+FFFD.
func CleanText(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	return strings.ReplaceAll(s, "\x00", "\uFFFD")
}

func cleanObject(field string, m map[string]any, depth int) (map[string]any, error) {
	out := make(map[string]any, len(m))
	for k, v := range m {
		c, err := cleanValue(field+"."+k, v, depth+1)
		if err != nil {
			return nil, err
		}
		out[CleanText(k)] = c
	}
	return out, nil
}

func cleanValue(field string, v any, depth int) (any, error) {
	if depth > maxMetadataDepth {
		return nil, &InvalidError{"metadata", fmt.Sprintf("is nested deeper than %d levels", maxMetadataDepth)}
	}
	switch v := v.(type) {
	case string:
		return CleanText(v), nil
	case map[string]any:
		return cleanObject(field, v, depth)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			c, err := cleanValue(fmt.Sprintf("%s[%d]", field, i), e, depth+1)
			if err != nil {
				return nil, err
			}
			out[i] = c
		}
		return out, nil
	default:
		return v, nil
	}
}

var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// NewID returns prefix_X, where X are 48 bits of milliseconds and 80 random bits in base 32 (Crockford's alphabet, lower case):
// ids sort by time, and nobody can guess the next one.
func NewID(prefix string, now time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(now.UnixMilli())<<16)
	_, _ = rand.Read(b[6:]) // crypto/rand never fails since Go 1.24
	return prefix + "_" + idEncoding.EncodeToString(b[:])
}
