package verify_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"hitl/audit/verify"
)

// tiles serve a tree from memory.
type tiles struct {
	size int64
	root tlog.Hash
	data map[string][]byte
	most int // tiles asked for at once
}

var errNoTile = errors.New("no such tile")

// newTiles makes the tiles of a tree of n leaves, of which those from fork on are others.
func newTiles(n, fork int) *tiles {
	t := &tiles{size: int64(n), data: map[string][]byte{}}
	put := func(level int, n int64, hashes []tlog.Hash) {
		t.data[tlog.Tile{H: verify.TileHeight, L: level, N: n, W: len(hashes)}.Path()] = verify.JoinHashes(hashes)
	}
	var tree verify.Tree
	for i := range n {
		leaf := []byte{byte(i), byte(i >> 8), byte(i >> 16), 0}
		if i >= fork {
			leaf[3] = 1
		}
		tree.Append(tlog.RecordHash(leaf), put)
	}
	tree.Edge(put)
	t.root = tree.Root()
	return t
}

func (t *tiles) checkpoint() verify.Checkpoint {
	return verify.Checkpoint{Origin: "log.example.org", Size: t.size, Root: t.root}
}

func (*tiles) Height() int                     { return verify.TileHeight }
func (*tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (t *tiles) seen(where string) verify.Seen {
	return verify.Seen{Checkpoint: t.checkpoint(), Where: where}
}

func (t *tiles) ReadTiles(list []tlog.Tile) ([][]byte, error) {
	t.most = max(t.most, len(list))
	out := make([][]byte, len(list))
	for i, tile := range list {
		data, ok := t.data[tile.Path()]
		if !ok {
			return nil, errNoTile
		}
		out[i] = slices.Clone(data)
	}
	return out, nil
}

func TestCheckTiles(t *testing.T) {
	t.Parallel()
	never := 1 << 30
	for _, n := range []int{0, 1, 2, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 66_000} {
		whole := newTiles(n, never)
		seen := []verify.Seen{whole.seen("now"), newTiles(0, never).seen("when it was empty"), newTiles(n/2, never).seen("before")}
		var last int64
		r, err := verify.CheckTiles(whole.checkpoint(), whole, seen, func(entries int64) { last = entries })
		if err != nil || !r.OK() || r.Entries != int64(n) || r.Signed != int64(n) || r.Root != whole.root || last != int64(n) || whole.most > 16 {
			t.Errorf("%d entries: %+v, %v, progress up to %d, %d tiles at once", n, r, err, last, whole.most)
		}
	}
}

// Every byte of a tree counts, on every level.
func TestCheckTilesFindsEveryChange(t *testing.T) {
	t.Parallel()
	good := newTiles(65_536+256+3, 1<<30)
	for path, data := range good.data {
		if level0 := strings.HasPrefix(path, "tile/8/0/"); level0 && !strings.Contains(path, "17") && !strings.Contains(path, ".p") {
			continue
		}
		for name, bad := range map[string][]byte{
			"first byte": append([]byte{data[0] ^ 1}, data[1:]...),
			"last byte":  append(slices.Clone(data[:len(data)-1]), data[len(data)-1]^128),
			"cut":        data[:len(data)-1],
			"empty":      nil,
			"longer":     append(slices.Clone(data), 0),
		} {
			good.data[path] = bad
			r, err := verify.CheckTiles(good.checkpoint(), good, nil, nil)
			if err != nil || kinds(r) != "hash -1 0" || !strings.Contains(r.Problems[0].Text, path) || r.Signed != 0 {
				t.Errorf("%s, %s: %+v, %v", path, name, r, err)
			}
		}
		delete(good.data, path)
		if r, err := verify.CheckTiles(good.checkpoint(), good, nil, nil); !errors.Is(err, errNoTile) || r.Signed != 0 {
			t.Errorf("%s is missing: %+v, %v", path, r, err)
		}
		good.data[path] = data
	}
}

func TestCheckTilesAgainstSeen(t *testing.T) {
	t.Parallel()
	never := 1 << 30
	now, before, fork, later := newTiles(700, never), newTiles(300, never), newTiles(500, 400), newTiles(701, never)
	for name, c := range map[string]struct {
		seen        []verify.Seen
		kinds, text string
	}{
		"forked":             {[]verify.Seen{fork.seen("in F"), before.seen("in B")}, "forked 300 0", "in F of size 500; an entry from position 300 to 499"},
		"cut":                {[]verify.Seen{later.seen("in L")}, "cut 700 0", "its checkpoint has 700 entries, the checkpoint in L has 701"},
		"another empty log":  {[]verify.Seen{{Checkpoint: verify.Checkpoint{Root: tlog.Hash{1}}, Where: "in E"}}, "forked 0 0", "in E of size 0"},
		"another one of 700": {[]verify.Seen{newTiles(700, 699).seen("in S")}, "forked 0 0", "in S of size 700"},
	} {
		r, err := verify.CheckTiles(now.checkpoint(), now, c.seen, nil)
		if err != nil || kinds(r) != c.kinds || !strings.Contains(r.Problems[0].Text, c.text) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		// The short way comes to the same result.
		bad := slices.ContainsFunc(c.seen, func(s verify.Seen) bool {
			return s.Size > 0 && verify.CheckExtends(now.checkpoint(), s.Checkpoint, now) != nil
		})
		if bad != (c.seen[0].Size > 0) {
			t.Errorf("%s: CheckExtends disagrees", name)
		}
	}
	if err := verify.CheckExtends(now.checkpoint(), before.checkpoint(), now); err != nil {
		t.Error(err)
	}
	if err := verify.CheckExtends(now.checkpoint(), newTiles(0, 0).checkpoint(), now); err != nil {
		t.Error(err)
	}
	for _, tile := range now.data {
		tile[0] ^= 1
	}
	if err := verify.CheckExtends(now.checkpoint(), before.checkpoint(), now); err == nil {
		t.Error("wrong tiles were taken")
	}
}
