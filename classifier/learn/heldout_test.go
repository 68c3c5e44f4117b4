package learn_test

import (
	"fmt"
	"testing"

	"hitl/classifier/learn"
)

// TestHeldOut: the share is a fifth, and an item's side never changes.
func TestHeldOut(t *testing.T) {
	const n = 100_000
	held := 0
	for i := range n {
		if learn.HeldOut(fmt.Sprintf("itm_%d", i)) {
			held++
		}
	}
	if held < 19_500 || held > 20_500 { // four standard deviations are 506
		t.Errorf("%d of %d items are held out, want about a fifth", held, n)
	}
	for id, want := range map[string]bool{"itm_0": false, "itm_1": true, "itm_2": false, "itm_3": true} {
		if got := learn.HeldOut(id); got != want {
			t.Errorf("HeldOut(%q) = %v, want %v: what was fitted before would have seen it", id, got, want)
		}
	}
}
