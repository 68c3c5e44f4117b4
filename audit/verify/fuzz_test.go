package verify_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"hitl/audit/verify"
)

func FuzzOpenCheckpoint(f *testing.F) {
	k := newKey(f)
	l := newLog(f, k, 3, 3)
	f.Add(l.checkpoints[3])
	f.Add("a\n1\nAAAA\n\n— a AAAA\n")
	f.Fuzz(func(t *testing.T, signed string) {
		c, err := verify.OpenCheckpoint(signed, nil)
		if err == nil {
			if again, err := verify.ParseCheckpoint(c.Text()); err != nil || again != c {
				t.Errorf("%+v reads back as %+v, %v", c, again, err)
			}
		}
		trusted, err := verify.OpenCheckpoint(signed, k)
		if err != nil {
			return
		}
		if want, _ := verify.OpenCheckpoint(l.checkpoints[3], k); trusted != want {
			t.Errorf("a forged checkpoint was taken: %q", signed)
		}
	})
}

func FuzzReadBundle(f *testing.F) {
	k := newKey(f)
	l := newLog(f, k, 2, 1)
	good := l.bundle(f)
	f.Add(good)
	f.Add(bytes.Replace(good, []byte(`"label":"A"`), []byte(`"label":"B"`), 1))
	f.Add([]byte("{\"hitl_log\":1}\n{\"entry\":{\"position\":70000}}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		v := verify.New(k)
		err := verify.ReadBundle(bytes.NewReader(data), v)
		// What passes with both entries signed is the log.
		r := v.Finish()
		if err == nil && r.OK() && r.Signed == 2 && r.Root != mustOpen(t, l.checkpoints[2], k).Root {
			t.Errorf("a forged bundle was taken: %s", data)
		}
	})
}

func mustOpen(t testing.TB, signed string, k key) verify.Checkpoint {
	t.Helper()
	c, err := verify.OpenCheckpoint(signed, k)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func FuzzParseLeaf(f *testing.F) {
	f.Add(entry(3).Leaf())
	f.Add(verify.Entry{}.Leaf())
	f.Fuzz(func(t *testing.T, leaf []byte) {
		if e, err := verify.ParseLeaf(leaf); err == nil && !bytes.Equal(e.Leaf(), leaf) {
			t.Errorf("%q reads as %+v", leaf, e)
		}
	})
}

func FuzzReadWitness(f *testing.F) {
	k := newKey(f)
	l := newLog(f, k, 4, 2)
	f.Add(l.checkpoints[2] + "\n" + l.checkpoints[4])
	f.Add("> a\n> " + strings.ReplaceAll(l.checkpoints[2], "\n", "\n> "))
	f.Add(fmt.Sprintf("{\"data\":{\"checkpoint\":%q}}", l.checkpoints[4]))
	f.Fuzz(func(t *testing.T, text string) {
		seen, err := verify.ReadWitness(text, "file", k)
		if err != nil {
			return
		}
		for _, s := range seen {
			if s.Size != 2 && s.Size != 4 {
				t.Errorf("a forged checkpoint was taken: %+v", s)
			}
		}
	})
}

// What passes is in the log, and told as it is.
func FuzzItemLog(f *testing.F) {
	k := newKey(f)
	l := newLog(f, k, 6, 6)
	honest, err := json.Marshal(itemLog(f, l, 2, 3))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(honest)
	f.Add(bytes.Replace(honest, []byte(`"label":"A"`), []byte(`"label":"B"`), 1))
	f.Add([]byte(`{"entries":[{"id":1}],"proof":{"checkpoint":"a\n1\n\n","proofs":[{"position":-1,"hashes":[""]}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var answer verify.ItemLog
		if json.Unmarshal(data, &answer) != nil {
			return
		}
		_, proven, pending, err := answer.Check(k)
		if err != nil {
			return
		}
		for _, p := range proven {
			if p.Entry.Hash() != l.lines[p.Position].Entry.Hash() {
				t.Errorf("a forged entry was taken: %+v", p)
			}
		}
		for _, e := range answer.Entries {
			if e.ID < 1 || e.ID > 6 || slices.Contains(pending, e.ID) {
				continue
			}
			if want := said(entry(int(e.ID - 1))); e.Label != want.Label || e.Status != want.Status || !e.At.Equal(want.At) {
				t.Errorf("a false entry was taken: %+v", e)
			}
		}
	})
}
