package bot

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// ref is what a button or an option carries: the review, the round the reviewer saw, and, when it stands for a label, the label's
// key. It holds nothing that a reader could use and nothing that the server believes: everything is looked up again at click time.
type ref struct {
	Review string
	Round  int
	Label  string // labelKey; empty when the button is not about a label
}

const maxRefBytes = 150 // the shortest of Slack's limits that a ref must keep: an option's value

func (r ref) String() string {
	s := r.Review + "." + strconv.Itoa(r.Round)
	if r.Label != "" {
		s += "." + r.Label
	}
	return s
}

// parseRef reads what String wrote; anything else is refused.
func parseRef(s string) (ref, bool) {
	if len(s) > maxRefBytes {
		return ref{}, false
	}
	parts := strings.Split(s, ".")
	if len(parts) < 2 || len(parts) > 3 {
		return ref{}, false
	}
	round, err := strconv.Atoi(parts[1])
	if err != nil || round < 1 || strconv.Itoa(round) != parts[1] || !idText(parts[0]) {
		return ref{}, false
	}
	r := ref{Review: parts[0], Round: round}
	if len(parts) == 3 {
		if len(parts[2]) != labelKeyLen || !idText(parts[2]) {
			return ref{}, false
		}
		r.Label = parts[2]
	}
	return r, true
}

// idText says whether s looks like an id of ours.
func idText(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

const labelKeyLen = 20

// labelKey names a label in few safe bytes, whatever the label contains.
func labelKey(label string) string {
	sum := sha256.Sum256([]byte(label))
	return hex.EncodeToString(sum[:labelKeyLen/2])
}

// byKey finds the word with a key.
func byKey(words []string, key string) (string, bool) {
	for _, w := range words {
		if labelKey(w) == key {
			return w, true
		}
	}
	return "", false
}
