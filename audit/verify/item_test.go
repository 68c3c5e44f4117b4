package verify_test

import (
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"hitl"
	"hitl/audit/verify"
)

// said is an entry as the API shows it.
func said(e verify.Entry) hitl.Entry {
	out := hitl.Entry{
		ID: e.ID, ItemID: e.ItemID, At: time.UnixMicro(e.At), Status: hitl.Status(e.Status), TextRef: "hmac-sha256:" + hex.EncodeToString(e.TextRef),
		AILabel: e.AILabel, Confidence: e.Confidence, Label: e.Label, Reviewer: e.Reviewer, Model: e.Model, Policy: e.Policy,
	}
	if err := json.Unmarshal([]byte(e.Context), &out.Context); err != nil {
		panic(err)
	}
	return out
}

// itemLog is an honest answer about an item whose entries are at two positions.
func itemLog(t testing.TB, l *log, at ...int) verify.ItemLog {
	t.Helper()
	out := verify.ItemLog{Proof: hitl.LogProof{Checkpoint: l.checkpoints[len(l.lines)]}}
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			hashes[i] = stored[x]
		}
		return hashes, nil
	})
	for i, line := range l.lines {
		more, err := tlog.StoredHashesForRecordHash(int64(i), line.Entry.Hash(), reader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, more...)
	}
	for _, position := range at {
		e := l.lines[position].Entry
		path, err := tlog.ProveRecord(int64(len(l.lines)), int64(position), reader)
		if err != nil {
			t.Fatal(err)
		}
		p := hitl.EntryProof{Entry: e.ID, Position: int64(position), Leaf: e.Leaf()}
		for _, h := range path {
			p.Hashes = append(p.Hashes, h[:])
		}
		out.Entries, out.Proof.Proofs = append(out.Entries, said(*e)), append(out.Proof.Proofs, p)
	}
	return out
}

func TestItemLog(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	l := newLog(t, k, 7, 7)
	honest := func() verify.ItemLog {
		data, err := json.Marshal(itemLog(t, l, 2, 3)) // as over HTTP
		if err != nil {
			t.Fatal(err)
		}
		var out verify.ItemLog
		if err := json.Unmarshal(data, &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	c, proven, pending, err := honest().Check(k)
	if err != nil || c.Size != 7 || len(proven) != 2 || proven[1].Position != 3 || proven[1].Entry.ItemID != "itm_1" || pending != nil {
		t.Fatalf("%+v, %+v, %v, %v", c, proven, pending, err)
	}
	for name, lie := range map[string]struct {
		tell func(*verify.ItemLog)
		want string
	}{
		"id":         {func(l *verify.ItemLog) { l.Entries[0].ID = 99 }, "entry 3 is in the log, and left out of the entries"},
		"item_id":    {func(l *verify.ItemLog) { l.Entries[0].ItemID = "itm_9" }, "its item_id differs"},
		"at":         {func(l *verify.ItemLog) { l.Entries[0].At = l.Entries[0].At.Add(time.Microsecond) }, "its at differs"},
		"status":     {func(l *verify.ItemLog) { l.Entries[1].Status = hitl.HumanAccepted }, "entry 4 is not what the log holds: its status differs"},
		"text_ref":   {func(l *verify.ItemLog) { l.Entries[0].TextRef = "hmac-sha256:00" }, "its text_ref differs"},
		"ai_label":   {func(l *verify.ItemLog) { l.Entries[0].AILabel = "B" }, "its ai_label differs"},
		"confidence": {func(l *verify.ItemLog) { l.Entries[0].Confidence = 0.99 }, "its confidence differs"},
		"label":      {func(l *verify.ItemLog) { l.Entries[0].Label = "B" }, "its label differs"},
		"reviewer":   {func(l *verify.ItemLog) { l.Entries[0].Reviewer = "T1/U1" }, "its reviewer differs"},
		"model":      {func(l *verify.ItemLog) { l.Entries[0].Model = "n" }, "its model differs"},
		"policy":     {func(l *verify.ItemLog) { l.Entries[0].Policy = "q" }, "its policy differs"},
		"context":    {func(l *verify.ItemLog) { l.Entries[0].Context["a"] = 2.0 }, "its context differs"},
		"context +":  {func(l *verify.ItemLog) { l.Entries[0].Context["b"] = nil }, "its context differs"},
		"left out":   {func(l *verify.ItemLog) { l.Entries = l.Entries[:1] }, "entry 4 is in the log, and left out"},
		"all left":   {func(l *verify.ItemLog) { l.Entries = []hitl.Entry{} }, "left out"},
		"twice": {func(l *verify.ItemLog) {
			e := l.Entries[0]
			e.Label = "B"
			l.Entries = append(l.Entries, e)
		}, "its label differs"},
		"leaf":         {func(l *verify.ItemLog) { l.Proof.Proofs[0].Leaf[40] ^= 1 }, "entry 3 was altered"},
		"path":         {func(l *verify.ItemLog) { l.Proof.Proofs[0].Hashes[0][0] ^= 1 }, "entry 3 was altered"},
		"other proofs": {func(a *verify.ItemLog) { a.Proof.Proofs[0] = itemLog(t, l, 5).Proof.Proofs[0] }, "is of item"},
		"proof's name": {func(l *verify.ItemLog) { l.Proof.Proofs[0].Entry = 9 }, "the proof of entry 9 is one of entry 3"},
		"other key":    {func(a *verify.ItemLog) { a.Proof.Checkpoint = newLog(t, newKey(t), 7, 7).checkpoints[7] }, "it is signed by"},
		"unsigned":     {func(l *verify.ItemLog) { l.Proof.Checkpoint = "" }, "nothing is signed"},
	} {
		answer := honest()
		lie.tell(&answer)
		if _, _, _, err := answer.Check(k); err == nil || !strings.Contains(err.Error(), lie.want) {
			t.Errorf("%s: %v, want %q", name, err, lie.want)
		}
	}
	later := honest()
	later.Entries = append(later.Entries, hitl.Entry{ID: 50})
	if _, _, pending, err := later.Check(k); err != nil || len(pending) != 1 || pending[0] != 50 {
		t.Errorf("an entry to come: %v, %v", pending, err)
	}
	bare := honest()
	bare.Entries = nil
	if _, proven, _, err := bare.Check(k); err != nil || len(proven) != 2 {
		t.Errorf("proofs alone: %v", err)
	}
}
