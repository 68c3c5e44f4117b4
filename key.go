package hitl

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"
)

// Right is what an API key lets its holder do.
type Right string

// The rights.
const (
	RightSubmit Right = "submit" // send items of its source
	RightRead   Right = "read"   // read items of its source, and what the log holds of them
	RightAdmin  Right = "admin"  // read the items of every source, and statistics
)

// Key is what is known of an API key. The key itself is known to its holder only.
type Key struct {
	ID        string // "key_…"; empty for a key of the configuration
	Source    string // empty: every source, with RightAdmin only
	Rights    []Right
	ExpiresAt time.Time // zero: never
}

// May says whether the key has a right. Admin includes reading.
func (k Key) May(right Right) bool {
	return slices.Contains(k.Rights, right) || right == RightRead && slices.Contains(k.Rights, RightAdmin)
}

// Expired says whether the key's time is over.
func (k Key) Expired(now time.Time) bool { return !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt) }

// CheckKey says what is wrong with the source and rights of a new key, as an *InvalidError: a key either is a source's, to submit or to read or
// both, or an admin's, which submits nothing.
func CheckKey(source string, rights []Right) error {
	admin := slices.Contains(rights, RightAdmin)
	seen := map[Right]bool{}
	for _, r := range rights {
		if r != RightSubmit && r != RightRead && r != RightAdmin {
			return &InvalidError{"rights", "may hold submit, read and admin"}
		}
		if seen[r] {
			return &InvalidError{"rights", "holds " + string(r) + " twice"}
		}
		seen[r] = true
	}
	switch {
	case len(rights) == 0:
		return &InvalidError{"rights", "is empty; give submit, read, or admin"}
	case admin && len(rights) > 1:
		return &InvalidError{"rights", "holds more than admin, which reads everything and submits nothing"}
	case admin && source != "":
		return &InvalidError{"source", "belongs to no admin's key"}
	case !admin && source == "":
		return &InvalidError{"source", "is missing; only an admin's key has none"}
	}
	return nil
}

// KeyHash is the SHA-256 of an API key: all that is kept of it. Keys are long and random, so a plain hash is enough.
type KeyHash [sha256.Size]byte

// HashKey returns the hash of a key.
func HashKey(key string) KeyHash { return sha256.Sum256([]byte(key)) }

// String returns "sha256:" and hex.
func (h KeyHash) String() string { return "sha256:" + hex.EncodeToString(h[:]) }

// Hint returns the beginning of String: enough to tell keys apart.
func (h KeyHash) Hint() string { return h.String()[:len("sha256:")+8] + "…" }
