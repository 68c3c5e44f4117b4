package verify

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// TileReader reads tiles from where nobody is trusted. Every [tlog.TileReader] is one.
type TileReader interface {
	// ReadTiles returns the data of tiles of height TileHeight. What it holds is not the reader's business.
	ReadTiles(tiles []tlog.Tile) ([][]byte, error)
}

// tilesAtOnce is how many tiles a walk asks for at a time, so that its reader can fetch them together.
const tilesAtOnce = 16

// CheckTiles checks a log of which there is nothing but tiles and a checkpoint, whose signature was checked. It builds the tree again from the
// lowest tiles, compares every tile on every level with it, it with the checkpoint's root and, at their sizes, with the checkpoints that
// were seen. It holds a few tiles at a time, however long the log is. progress, if not nil, is told how many entries are
// checked after each complete tile of them.
//
// An error means that the log could not be checked to its end; the report says what was found until then.
func CheckTiles(c Checkpoint, tiles TileReader, seen []Seen, progress func(entries int64)) (Report, error) {
	seen = slices.Clone(seen)
	slices.SortStableFunc(seen, func(a, b Seen) int { return cmp.Compare(a.Size, b.Size) })
	w := &tileWalk{tiles: tiles, seen: seen, progress: progress}
	w.compare()
	err := w.run(c)
	r := &w.report
	r.Entries, r.Root = w.tree.Size(), w.tree.Root()
	if altered, ok := errors.AsType[*alteredError](err); ok {
		r.add(Hash, -1, 0, "%v", altered)
		return *r, nil
	}
	if err != nil {
		return *r, err
	}
	r.Checkpoints, r.Signed = 1, c.Size
	for _, s := range w.seen {
		r.add(Cut, c.Size, 0, "the log was cut: its checkpoint has %d entries, the checkpoint %s has %d", c.Size, s.Where, s.Size)
	}
	return *r, nil
}

// tileWalk goes through a tree from the top to the bottom and from left to right: the incomplete tiles at the right edge together give the signed
// root, and each complete tile the hash that a tile above holds for it. So each is known to be right before anything below it is read, and the
// one that is wrong is named.
type tileWalk struct {
	tiles    TileReader
	seen     []Seen // still to come, the smallest first
	progress func(entries int64)
	tree     Tree // of the lowest tiles
	bound    int64
	report   Report
}

// alteredError says which tiles are not those of the signed tree.
type alteredError struct{ text string }

func (e *alteredError) Error() string { return e.text }

func (w *tileWalk) run(c Checkpoint) error {
	var edge []tlog.Tile // from the bottom to the top
	for level := 0; c.Size>>(TileHeight*level) > 0; level++ {
		count := c.Size >> (TileHeight * level)
		if width := int(count % TileWidth); width > 0 {
			edge = append(edge, tlog.Tile{H: TileHeight, L: level, N: count / TileWidth, W: width})
		}
	}
	hashes, err := w.read(edge)
	if err != nil {
		return err
	}
	paths := make([]string, len(edge))
	atLevel := map[int][]tlog.Hash{}
	for i, t := range edge {
		paths[i], atLevel[t.L] = t.Path(), hashes[i]
	}
	whole, err := LoadTree(c.Size, func(level int, _ int64, _ int) ([]byte, error) { return JoinHashes(atLevel[level]), nil })
	if err != nil {
		return err
	}
	switch {
	case whole.Root() == c.Root:
	case len(edge) == 0:
		return &alteredError{"the checkpoint's root is not that of an empty log"}
	case len(edge) == 1:
		return &alteredError{paths[0] + " was altered: it does not give the root of the checkpoint"}
	default:
		return &alteredError{"one of " + strings.Join(paths, ", ") + " was altered: together they do not give the root of the checkpoint"}
	}
	for i := range slices.Backward(edge) {
		if err := w.below(edge[i], hashes[i]); err != nil {
			return err
		}
	}
	return nil
}

// below checks what lies under a tile that is known to be right.
func (w *tileWalk) below(t tlog.Tile, hashes []tlog.Hash) error {
	if t.L == 0 {
		w.leaves(hashes)
		return nil
	}
	for from := 0; from < len(hashes); from += tilesAtOnce {
		want := hashes[from:min(from+tilesAtOnce, len(hashes))]
		children := make([]tlog.Tile, len(want))
		for i := range children {
			children[i] = tlog.Tile{H: TileHeight, L: t.L - 1, N: t.N*TileWidth + int64(from+i), W: TileWidth}
		}
		got, err := w.read(children)
		if err != nil {
			return err
		}
		for i, child := range children {
			if TileHash(got[i]) != want[i] {
				return &alteredError{child.Path() + " was altered: its hash is not the one in " + t.Path()}
			}
			if err := w.below(child, got[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *tileWalk) leaves(hashes []tlog.Hash) {
	for _, h := range hashes {
		w.tree.Append(h, nil)
		w.compare()
	}
	if w.progress != nil {
		w.progress(w.tree.Size())
	}
}

// compare compares the tree with the checkpoints that were seen at its size.
func (w *tileWalk) compare() {
	for len(w.seen) > 0 && w.seen[0].Size == w.tree.Size() {
		s := w.seen[0]
		w.seen = w.seen[1:]
		if w.tree.Root() == s.Root {
			w.bound = s.Size
			continue
		}
		w.report.add(Forked, w.bound, 0, "the log was forked: it is not the one of the checkpoint %s of size %d; an entry from position %d to %d was altered",
			s.Where, s.Size, w.bound, s.Size-1)
	}
}

// read returns the hashes of tiles, each as many as its tile has.
func (w *tileWalk) read(tiles []tlog.Tile) ([][]tlog.Hash, error) {
	if len(tiles) == 0 {
		return nil, nil
	}
	data, err := w.tiles.ReadTiles(tiles)
	if err != nil {
		return nil, err
	}
	if len(data) != len(tiles) {
		return nil, fmt.Errorf("got %d tiles, asked for %d", len(data), len(tiles))
	}
	out := make([][]tlog.Hash, len(tiles))
	for i, t := range tiles {
		if len(data[i]) != t.W*tlog.HashSize {
			return nil, &alteredError{fmt.Sprintf("%s was altered: it has %d bytes instead of %d", t.Path(), len(data[i]), t.W*tlog.HashSize)}
		}
		out[i] = SplitHashes(data[i])
	}
	return out, nil
}

// CheckExtends checks that the log of an older checkpoint is the beginning of the log of a newer one, as tiles show it. Both checkpoints
// are trusted; the tiles are not.
func CheckExtends(newer, older Checkpoint, tiles tlog.TileReader) error {
	if older.Size > newer.Size {
		return fmt.Errorf("the log was cut: it had %d entries, its checkpoint has %d", older.Size, newer.Size)
	}
	if older.Size == 0 {
		return nil
	}
	proof, err := tlog.ProveTree(newer.Size, older.Size, tlog.TileHashReader(tlog.Tree{N: newer.Size, Hash: newer.Root}, tiles))
	if err != nil {
		return fmt.Errorf("prove consistency: %w", err)
	}
	if err := tlog.CheckTree(proof, newer.Size, newer.Root, older.Size, older.Root); err != nil {
		return fmt.Errorf("the log was forked: its checkpoint of size %d does not continue the one of size %d: %w", newer.Size, older.Size, err)
	}
	return nil
}
