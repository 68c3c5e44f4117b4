package learn

import (
	"crypto/sha256"
	"encoding/binary"
)

// heldOutOf is one in how many items is held out.
const heldOutOf = 5

// HeldOut says whether an item is one of the fifth that nothing is fitted to, so that what was fitted to the others can be judged on it. The choice is
// the item's for good: it depends on its id alone, by SHA-256, and no choice of a seed can be shopped for.
func HeldOut(itemID string) bool {
	sum := sha256.Sum256([]byte("hitl held out\x00" + itemID))
	return binary.BigEndian.Uint64(sum[:])%heldOutOf == 0
}
