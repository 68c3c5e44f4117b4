package verify

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"golang.org/x/mod/sumdb/note"

	"hitl"
)

// ItemLog is what GET /v1/items/{id}/log answers: what the service says of an item, and the proofs of it.
type ItemLog struct {
	Entries []hitl.Entry  `json:"entries"`
	Proof   hitl.LogProof `json:"proof"`
}

// Proven is an entry that is in the log of a checkpoint.
type Proven struct {
	Position int64
	Entry    Entry // as its leaf says
}

// Check checks each proof, and that each entry says what its leaf says. Without entries, only the proofs are there to be checked. It
// returns the checkpoint, what is proven, and the ids of those entries that nothing proves yet.
func (l ItemLog) Check(key note.Verifier) (c Checkpoint, proven []Proven, pending []int64, err error) {
	if l.Proof.Checkpoint == "" {
		return c, nil, nil, errors.New("nothing is signed yet")
	}
	if c, err = OpenCheckpoint(l.Proof.Checkpoint, key); err != nil {
		return c, nil, nil, fmt.Errorf("checkpoint: %w", err)
	}
	leaves := map[int64]Entry{}
	for _, p := range l.Proof.Proofs {
		if _, err := CheckProof(Proof{Position: p.Position, Leaf: p.Leaf, Hashes: p.Hashes}, l.Proof.Checkpoint, key); err != nil {
			return c, nil, nil, fmt.Errorf("entry %d was altered: %w", p.Entry, err)
		}
		e, err := ParseLeaf(p.Leaf)
		switch {
		case err != nil:
			return c, nil, nil, fmt.Errorf("leaf of entry %d: %w", p.Entry, err)
		case e.ID != p.Entry:
			return c, nil, nil, fmt.Errorf("the proof of entry %d is one of entry %d", p.Entry, e.ID)
		case len(proven) > 0 && e.ItemID != proven[0].Entry.ItemID:
			return c, nil, nil, fmt.Errorf("entry %d is of item %q, entry %d of item %q", e.ID, e.ItemID, proven[0].Entry.ID, proven[0].Entry.ItemID)
		}
		leaves[e.ID] = e
		proven = append(proven, Proven{p.Position, e})
	}
	if l.Entries == nil {
		return c, proven, nil, nil
	}
	told := map[int64]bool{}
	for _, e := range l.Entries {
		leaf, ok := leaves[e.ID]
		told[e.ID] = true
		if !ok {
			pending = append(pending, e.ID)
			continue
		}
		if field := leaf.differs(e); field != "" {
			return c, nil, nil, fmt.Errorf("entry %d is not what the log holds: its %s differs", e.ID, field)
		}
	}
	for _, p := range proven {
		if !told[p.Entry.ID] {
			return c, nil, nil, fmt.Errorf("entry %d is in the log, and left out of the entries", p.Entry.ID)
		}
	}
	return c, proven, pending, nil
}

// differs names a field in which what the API says of an entry is not what the entry is; "" when there is none.
func (e Entry) differs(said hitl.Entry) string {
	const textRefPrefix = "hmac-sha256:"
	var context map[string]any
	if err := json.Unmarshal([]byte(e.Context), &context); err != nil {
		return "context"
	}
	for _, f := range []struct {
		name string
		same bool
	}{
		{"id", said.ID == e.ID},
		{"item_id", said.ItemID == e.ItemID},
		{"at", said.At.Equal(time.UnixMicro(e.At))},
		{"status", string(said.Status) == e.Status},
		{"text_ref", said.TextRef == textRefPrefix+hex.EncodeToString(e.TextRef)},
		{"ai_label", said.AILabel == e.AILabel},
		{"confidence", said.Confidence == e.Confidence},
		{"label", said.Label == e.Label},
		{"reviewer", said.Reviewer == e.Reviewer},
		{"model", said.Model == e.Model},
		{"policy", said.Policy == e.Policy},
		{"context", reflect.DeepEqual(said.Context, context)},
	} {
		if !f.same {
			return f.name
		}
	}
	return ""
}
