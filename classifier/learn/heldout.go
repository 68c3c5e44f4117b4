package learn

import (
	"crypto/sha256"
	"encoding/binary"
)

// Folds is how many parts items fall into.
const Folds = 5

// Fold is the part that an item belongs to, from 0 on. It is the item's for good: it depends on its id alone, by SHA-256, and no seed can be shopped for.
func Fold(itemID string) int {
	sum := sha256.Sum256([]byte("hitl held out\x00" + itemID))
	return int(binary.BigEndian.Uint64(sum[:]) % Folds)
}

// HeldOut says whether an item is one of the fifth that nothing is fitted to, so that what was fitted to the others can be judged on it: those of fold 0.
func HeldOut(itemID string) bool { return Fold(itemID) == 0 }
