package verify_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"hitl/audit/verify"
)

type key struct {
	signer note.Signer
	note.Verifier
}

// fixedKey makes fuzzing repeatable: its workers are processes of their own.
const fixedKey = "PRIVATE+KEY+log.example.org+c6c7ca0d+AUY/SPR2j8e1wWfNivF2zXdEQCY8CQ6WLgfHklLO7VhW"

func newKey(t testing.TB) key {
	t.Helper()
	private, public, err := note.GenerateKey(rand.Reader, "log.example.org")
	if err != nil {
		t.Fatal(err)
	}
	if _, fuzz := t.(*testing.F); fuzz {
		private, public = fixedKey, ""
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	v, text, err := verify.VerifierOf(private)
	if err != nil || text != public && public != "" || v.KeyHash() != signer.KeyHash() {
		t.Fatalf("VerifierOf: %q, want %q, error %v", text, public, err)
	}
	return key{signer, v}
}

func entry(i int) verify.Entry {
	return verify.Entry{
		ID: int64(i + 1), ItemID: fmt.Sprint("itm_", i/2), At: int64(i) * 1_000_000, Status: "AI_ACCEPTED", TextRef: []byte{byte(i), 1}, AILabel: "A",
		Confidence: 0.5 + float64(i)/1000, Label: "A", Reviewer: "", Model: "m", Policy: "p", Context: `{"a": 1}`, Tx: uint64(700 + i),
	}
}

// log is a log as a source keeps it.
type log struct {
	lines       []verify.Line
	checkpoints map[int]string
}

// newLog makes a log of n entries with a checkpoint after every step of them.
func newLog(t testing.TB, k key, n, step int) *log {
	t.Helper()
	l := &log{checkpoints: map[int]string{}}
	var tree verify.Tree
	for i := range n {
		e := entry(i)
		h := e.Hash()
		leaf, tile := h, h
		l.lines = append(l.lines, verify.Line{Position: int64(i), LogID: e.ID, Entry: &e, Leaf: &leaf, Tile: &tile})
		tree.Append(h, nil)
		if (i+1)%step == 0 || i+1 == n {
			signed, err := verify.SignCheckpoint(verify.Checkpoint{Size: int64(i + 1), Root: tree.Root()}, k.signer)
			if err != nil {
				t.Fatal(err)
			}
			l.checkpoints[i+1] = signed
		}
	}
	return l
}

func (l *log) verify(v *verify.Verifier) verify.Report {
	for i, line := range l.lines {
		v.Line(line)
		if c := l.checkpoints[i+1]; c != "" {
			v.Checkpoint(c, int64(i+1))
		}
	}
	for size := len(l.lines) + 1; size < len(l.lines)+100; size++ {
		if c := l.checkpoints[size]; c != "" {
			v.Checkpoint(c, int64(size))
		}
	}
	return v.Finish()
}

func (l *log) bundle(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := verify.NewBundleWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range l.lines {
		if err := w.Line(line); err != nil {
			t.Fatal(err)
		}
		if c := l.checkpoints[i+1]; c != "" {
			if err := w.Checkpoint(c); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The tree is the one of the Go checksum database, at every size around the edges of tiles.
func TestTreeIsRFC6962(t *testing.T) {
	t.Parallel()
	var tree verify.Tree
	if want := sha256.Sum256(nil); tree.Root() != want {
		t.Error("root of the empty tree")
	}
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			out[i] = stored[x]
		}
		return out, nil
	})
	tiles := map[string][]byte{}
	for i := range 66_000 {
		leaf := tlog.RecordHash(fmt.Appendf(nil, "%d", i))
		more, err := tlog.StoredHashesForRecordHash(int64(i), leaf, reader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, more...)
		tree.Append(leaf, func(level int, n int64, hashes []tlog.Hash) {
			tiles[tlog.Tile{H: 8, L: level, N: n, W: 256}.Path()] = verify.JoinHashes(hashes)
		})
		size := int64(i + 1)
		if size != tree.Size() {
			t.Fatalf("size is %d, want %d", tree.Size(), size)
		}
		if m := size % 256; size > 600 && (m > 1 && m < 255) && size%997 != 0 {
			continue
		}
		want, err := tlog.TreeHash(size, reader)
		if err != nil || tree.Root() != want {
			t.Fatalf("root at %d: %v, want %v, %v", size, tree.Root(), want, err)
		}
		edges := map[string][]byte{}
		tree.Edge(func(level int, n int64, hashes []tlog.Hash) {
			edges[fmt.Sprint(level, "/", n)] = verify.JoinHashes(hashes)
			data, err := tlog.ReadTileData(tlog.Tile{H: 8, L: level, N: n, W: len(hashes)}, reader)
			if err != nil || !bytes.Equal(data, verify.JoinHashes(hashes)) {
				t.Fatalf("edge %d/%d at %d differs, %v", level, n, size, err)
			}
		})
		again, err := verify.LoadTree(size, func(level int, n int64, _ int) ([]byte, error) { return edges[fmt.Sprint(level, "/", n)], nil })
		if err != nil || again.Root() != tree.Root() || tree.Clone().Root() != tree.Root() {
			t.Fatalf("tree loaded at %d differs: %v", size, err)
		}
	}
	for _, tile := range tlog.NewTiles(8, 0, tree.Size()) {
		want, err := tlog.ReadTileData(tile, reader)
		if tile.W == 256 && (err != nil || !bytes.Equal(tiles[tile.Path()], want)) {
			t.Errorf("tile %s differs, %v", tile.Path(), err)
		}
	}
}

// No column can change without the leaf, and none can give a byte to its neighbour.
func TestLeafTellsEveryColumn(t *testing.T) {
	t.Parallel()
	base := entry(3)
	seen := map[string]string{string(base.Leaf()): "base"}
	typ := reflect.TypeFor[verify.Entry]()
	for i := range typ.NumField() {
		e := base
		f := reflect.ValueOf(&e).Elem().Field(i)
		switch f.Kind() {
		case reflect.Int64:
			f.SetInt(f.Int() + 1)
		case reflect.Uint64:
			f.SetUint(f.Uint() + 1)
		case reflect.Float64:
			f.SetFloat(math.Nextafter(f.Float(), 1))
		case reflect.String:
			f.SetString(f.String() + "x")
		case reflect.Slice:
			f.SetBytes(append(bytes.Clone(f.Bytes()), 'x'))
		default:
			t.Fatalf("field %s has a new kind", typ.Field(i).Name)
		}
		leaf := string(e.Leaf())
		if other, known := seen[leaf]; known {
			t.Errorf("%s and %s give one leaf", typ.Field(i).Name, other)
		}
		seen[leaf] = typ.Field(i).Name
	}
	if e, err := verify.ParseLeaf(base.Leaf()); err != nil || !reflect.DeepEqual(e, base) {
		t.Errorf("read back %+v, %v", e, err)
	}
	if _, err := verify.ParseLeaf(append(base.Leaf(), 0)); err == nil {
		t.Error("a leaf with a byte more was taken")
	}
	if a, b := math.Float64frombits(0x7ff8000000000001), math.Float64frombits(0x7ff8000000000002); (verify.Entry{Confidence: a}).Hash() != (verify.Entry{Confidence: b}).Hash() {
		t.Error("two NaNs differ")
	}
}

// kinds lists what was found as "kind position entry".
func kinds(r verify.Report) string {
	var out []string
	for _, p := range r.Problems {
		out = append(out, fmt.Sprintf("%s %d %d", p.Kind, p.Position, p.Entry))
	}
	return strings.Join(out, ", ")
}

func TestVerifierNamesWhatWasTouched(t *testing.T) {
	t.Parallel()
	k, other := newKey(t), newKey(t)
	flip := func(h *tlog.Hash) *tlog.Hash { c := *h; c[0] ^= 1; return &c }
	alter := func(l *log, i int) { e := *l.lines[i].Entry; e.Label += "!"; l.lines[i].Entry = &e }
	for name, c := range map[string]struct {
		change func(l *log)
		want   string
	}{
		"nothing":          {func(*log) {}, ""},
		"a row":            {func(l *log) { alter(l, 7) }, "altered 7 8"},
		"first, last rows": {func(l *log) { alter(l, 0); alter(l, 24) }, "altered 0 1, altered 24 25"},
		"rows swapped": {func(l *log) {
			l.lines[3].Entry, l.lines[4].Entry = l.lines[4].Entry, l.lines[3].Entry
		}, "altered 3 4, altered 4 5"},
		"row and copy": {func(l *log) { alter(l, 7); h := l.lines[7].Entry.Hash(); l.lines[7].Leaf = &h }, "altered 7 8, hash 7 8"},
		"row and tile": {func(l *log) { alter(l, 7); h := l.lines[7].Entry.Hash(); l.lines[7].Tile = &h }, "altered 7 8, hash 7 8"},
		"row and both": {func(l *log) { alter(l, 7); h := l.lines[7].Entry.Hash(); l.lines[7].Tile, l.lines[7].Leaf = &h, &h }, "forked 5 0"},
		"copy":         {func(l *log) { l.lines[9].Leaf = flip(l.lines[9].Leaf) }, "hash 9 10"},
		"tile":         {func(l *log) { l.lines[9].Tile = flip(l.lines[9].Tile) }, "hash 9 10"},
		"both copies":  {func(l *log) { l.lines[9].Tile, l.lines[9].Leaf = flip(l.lines[9].Tile), flip(l.lines[9].Leaf) }, "hash 9 10, hash 9 10"},
		"row gone":     {func(l *log) { l.lines[9].Entry = nil }, "missing 9 10"},
		"row and position gone": {func(l *log) {
			l.lines[9] = verify.Line{Position: 9, Tile: l.lines[9].Tile}
		}, "missing 9 0"},
		"every trace gone": {func(l *log) { l.lines[9] = verify.Line{Position: 9} }, "missing 9 0, forked -1 0"},
		"newest rows gone": {func(l *log) { l.lines = l.lines[:22] }, "cut 22 0"},
		"checkpoint of another key": {func(l *log) {
			signed, err := verify.SignCheckpoint(verify.Checkpoint{Size: 25}, other.signer)
			if err != nil {
				t.Error(err)
			}
			l.checkpoints[25] = signed
		}, "checkpoint -1 0"},
		"checkpoint moved":   {func(l *log) { l.checkpoints[15] = l.checkpoints[10] }, "checkpoint -1 0"},
		"checkpoint altered": {func(l *log) { l.checkpoints[15] = strings.Replace(l.checkpoints[15], "15", "16", 1) }, "checkpoint -1 0"},
		"rebuilt with another key": {func(l *log) {
			alter(l, 2)
			*l = *rebuilt(t, l, other)
		}, strings.TrimSuffix(strings.Repeat("checkpoint -1 0, ", 6), ", ")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLog(t, k, 25, 5)
			c.change(l)
			r := l.verify(verify.New(k))
			if kinds(r) != c.want {
				t.Errorf("found %q, want %q\n%+v", kinds(r), c.want, r.Problems)
			}
			if len(r.Problems) == 0 && (r.Signed != 25 || r.Checkpoints != 5 || r.Latest != l.checkpoints[25]) {
				t.Errorf("report %+v", r)
			}
		})
	}
}

// rebuilt makes a whole new tree over a log's rows, signed by another key.
func rebuilt(t testing.TB, l *log, k key) *log {
	t.Helper()
	out := &log{checkpoints: map[int]string{}}
	var tree verify.Tree
	for i, line := range l.lines {
		h := line.Entry.Hash()
		out.lines = append(out.lines, verify.Line{Position: int64(i), LogID: line.LogID, Entry: line.Entry, Leaf: &h, Tile: &h})
		tree.Append(h, nil)
		if l.checkpoints[i+1] != "" {
			signed, err := verify.SignCheckpoint(verify.Checkpoint{Size: int64(i + 1), Root: tree.Root()}, k.signer)
			if err != nil {
				t.Fatal(err)
			}
			out.checkpoints[i+1] = signed
		}
	}
	return out
}

// Against whoever holds the key, too, what was kept elsewhere stands.
func TestSeenCheckpointsBind(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	l := newLog(t, k, 25, 5)
	seen, err := verify.ReadWitness(l.checkpoints[10]+l.checkpoints[20]+"\n"+l.checkpoints[25], "the bucket", k)
	if err != nil || len(seen) != 3 {
		t.Fatalf("%d checkpoints, error %v", len(seen), err)
	}
	if r := l.verify(verify.New(k, seen...)); !r.OK() {
		t.Errorf("found %+v", r.Problems)
	}
	fork := newLog(t, k, 25, 5)
	e := *fork.lines[12].Entry
	e.Label = "B"
	fork.lines[12].Entry = &e
	r := rebuilt(t, fork, k).verify(verify.New(k, seen...))
	if kinds(r) != "forked 10 0" || !strings.Contains(r.Problems[0].Text, "position 10 to 19") {
		t.Errorf("found %+v", r.Problems)
	}
	short := newLog(t, k, 23, 5)
	if r := short.verify(verify.New(k, seen...)); kinds(r) != "cut 23 0" || !strings.Contains(r.Problems[0].Text, "positions 23 to 24") {
		t.Errorf("found %+v", r.Problems)
	}
	if _, err := verify.ReadWitness(l.checkpoints[10]+l.checkpoints[20], "the bucket", newKey(t)); err == nil {
		t.Error("a witness of another key was taken")
	}
	if _, err := verify.ReadWitness("\n\n", "the bucket", k); err == nil {
		t.Error("an empty witness was taken")
	}
}

// A key that was changed: what the former one signed still counts, where it is named.
func TestFormerKey(t *testing.T) {
	t.Parallel()
	k, next, other := newKey(t), newKey(t), newKey(t)
	l := newLog(t, k, 25, 5)
	l.checkpoints[25] = newLog(t, next, 25, 25).checkpoints[25]
	for name, c := range map[string]struct {
		former []note.Verifier
		want   int
	}{"named": {[]note.Verifier{other, k}, 0}, "not named": {nil, 4}, "another named": {[]note.Verifier{other}, 4}} {
		v := verify.New(next)
		v.Former(c.former...)
		if r := l.verify(v); len(r.Problems) != c.want || r.Signed != 25 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestBundle(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	l := newLog(t, k, 9, 3)
	l.lines[4].Entry.Confidence = math.NaN()
	l.lines[5].Entry.Confidence = math.Inf(1)
	l.lines[6].Entry.Context = "{\"a\":\t\"<&\\u0000>\"}"
	l = rebuilt(t, l, k)
	data := l.bundle(t)
	check := func(data []byte) (verify.Report, error) {
		v := verify.New(k)
		err := verify.ReadBundle(bytes.NewReader(data), v)
		return v.Finish(), err
	}
	if r, err := check(data); err != nil || !r.OK() || r.Signed != 9 {
		t.Fatalf("report %+v, error %v", r, err)
	}
	// Whichever line goes, it is noticed; the last checkpoint alone may be one that was never made.
	lines := bytes.SplitAfter(data, []byte("\n"))
	lines = lines[:len(lines)-1]
	for i := range lines {
		cut := bytes.Join(append(append([][]byte{}, lines[:i]...), lines[i+1:]...), nil)
		isCheckpoint := bytes.HasPrefix(lines[i], []byte(`{"checkpoint"`))
		if r, err := check(cut); err == nil && r.OK() && !isCheckpoint {
			t.Errorf("line %d is not missed: %s", i+1, lines[i])
		}
	}
	// Whichever byte of an entry changes, so that the bundle is still one, it is noticed.
	for i, c := range data {
		if c < '0' || c > 'z' || data[i+1] == '=' { // the last letter of base64 holds bits that nobody reads
			continue
		}
		changed := bytes.Clone(data)
		if changed[i]++; c == '9' || c == 'z' {
			changed[i] = c - 1
		}
		if r, err := check(changed); err == nil && r.OK() {
			t.Errorf("byte %d is not missed: %s", i, changed[max(0, i-30):min(len(changed), i+30)])
		}
	}
}

func TestProof(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	l := newLog(t, k, 25, 5)
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			out[i] = stored[x]
		}
		return out, nil
	})
	for i, line := range l.lines {
		more, err := tlog.StoredHashesForRecordHash(int64(i), *line.Leaf, reader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, more...)
	}
	path, err := tlog.ProveRecord(25, 7, reader)
	if err != nil {
		t.Fatal(err)
	}
	p := verify.Proof{Position: 7, Leaf: l.lines[7].Entry.Leaf()}
	for _, h := range path {
		p.Hashes = append(p.Hashes, h[:])
	}
	if c, err := verify.CheckProof(p, l.checkpoints[25], k); err != nil || c.Size != 25 {
		t.Fatalf("checkpoint %+v, error %v", c, err)
	}
	for name, bad := range map[string]verify.Proof{
		"other leaf":     {7, []byte("x"), p.Hashes},
		"other position": {8, p.Leaf, p.Hashes},
		"beyond":         {25, p.Leaf, p.Hashes},
		"negative":       {-1, p.Leaf, p.Hashes},
		"short":          {7, p.Leaf, p.Hashes[1:]},
		"short hash":     {7, p.Leaf, append([][]byte{{1}}, p.Hashes[1:]...)},
	} {
		if _, err := verify.CheckProof(bad, l.checkpoints[25], k); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := verify.CheckProof(p, l.checkpoints[20], k); err == nil {
		t.Error("a proof for another checkpoint was taken")
	}
}
