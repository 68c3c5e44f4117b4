package hitl

import "time"

// SealedToken is a chat token that expires, as it is kept: what it is only its owner can read.
type SealedToken struct {
	App     string // whose it is
	Version int64  // counts up with each that is kept; 0: none has been
	Sealed  []byte
	// ExpiresAt is when the token stops working.
	ExpiresAt time.Time
}
