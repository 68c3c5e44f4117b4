package verify

import (
	"cmp"
	"slices"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Line is one position of a log, as its source keeps it. Every hash but the entry's own may be missing.
type Line struct {
	Position int64
	LogID    int64      // the entry that should be here; 0 when nothing says
	Entry    *Entry     // nil when there is none
	Detached string     // the table with which the entry was taken out of the log, as the log says; empty: it was not
	Leaf     *tlog.Hash // the hash kept beside the position
	Tile     *tlog.Hash // the hash in the tree's tile
}

// Seen is a checkpoint that was kept somewhere else: remembered from an earlier verification, or anchored.
type Seen struct {
	Checkpoint
	Where string // in words
}

// candidates are where a leaf's hash may come from: the row itself and the two copies.
const (
	fromCopy = iota
	fromTile
	fromRow
	candidates
)

// Verifier checks a log that it is fed in order: Line for each position from 0, Checkpoint as soon as a checkpoint's size is reached,
// Finish at the end. It needs memory for one tree's edge and for what is wrong, however long the log is.
//
// The trees over the rows and over each copy of their hashes are the same as long as nothing was touched. From the first difference on
// it grows one tree of each, until a checkpoint tells which of them is the log: that one names what was altered in the others.
type Verifier struct {
	// Tiles, if set, is told the tiles above the lowest level as they should be, as long as nothing was wrong: complete ones when they
	// are complete, the others by Edge.
	Tiles func(level int, n int64, hashes []tlog.Hash)

	key    note.Verifier
	former []note.Verifier
	seen   []Seen
	report Report

	tree     *Tree // while all are the same
	forks    [candidates]*Tree
	diffs    []difference
	unlisted int   // differences beyond those that are listed
	proven   int64 // entries that a true checkpoint of the log covers
	// witnessed is how many entries a checkpoint kept elsewhere covers: who holds the log's key can sign others, but not change those.
	witnessed int64
	lost      bool // a position has no hash at all: no root can be computed any more
	blamed    bool // a root was wrong for all candidates: later ones are, too
	scratch   []byte
}

// difference is a position where the candidates differ.
type difference struct {
	position, entry int64
	missing         bool // the row, which was reported
	hashes          [candidates]tlog.Hash
}

// New returns a verifier of a log whose checkpoints are signed by key; nil: it takes no checkpoint, and only what was seen binds the log.
func New(key note.Verifier, seen ...Seen) *Verifier {
	seen = slices.Clone(seen)
	slices.SortStableFunc(seen, func(a, b Seen) int { return cmp.Compare(a.Size, b.Size) })
	v := &Verifier{key: key, seen: seen, tree: &Tree{}}
	v.checkSeen()
	return v
}

// Former takes checkpoints of a key, too, that signed the log before it was changed.
func (v *Verifier) Former(keys ...note.Verifier) { v.former = append(v.former, keys...) }

// Size is how many positions it was fed.
func (v *Verifier) Size() int64 {
	if v.tree != nil {
		return v.tree.Size()
	}
	return v.forks[fromCopy].Size()
}

// Line takes the next position, which must be Size.
func (v *Verifier) Line(l Line) {
	known := cmp.Or(l.Leaf, l.Tile)
	var row tlog.Hash
	switch {
	case l.Entry != nil:
		v.scratch = l.Entry.AppendLeaf(v.scratch[:0])
		row = tlog.RecordHash(v.scratch)
		known = cmp.Or(known, &row)
	case l.Detached != "":
		if v.report.Detached++; !slices.Contains(v.report.DetachedFrom, l.Detached) {
			v.report.DetachedFrom = append(v.report.DetachedFrom, l.Detached)
		}
	case l.LogID != 0:
		v.report.add(Missing, l.Position, l.LogID, "entry %d at position %d is missing", l.LogID, l.Position)
	default:
		v.report.add(Missing, l.Position, 0, "the entry at position %d is missing", l.Position)
	}
	if known == nil {
		v.lost, known = true, &tlog.Hash{}
	}
	hashes := [candidates]tlog.Hash{fromCopy: *cmp.Or(l.Leaf, known), fromTile: *cmp.Or(l.Tile, known), fromRow: row}
	if l.Entry == nil {
		hashes[fromRow] = *known
	}
	if v.tree != nil && hashes[fromCopy] == hashes[fromTile] && hashes[fromTile] == hashes[fromRow] {
		v.tree.Append(hashes[fromRow], v.upper)
	} else {
		if v.tree != nil {
			v.forks = [candidates]*Tree{v.tree, v.tree.Clone(), v.tree.Clone()}
			v.tree = nil
		}
		if hashes[fromCopy] != hashes[fromTile] || hashes[fromTile] != hashes[fromRow] {
			v.note(difference{l.Position, l.LogID, l.Entry == nil, hashes})
		}
		for i, t := range v.forks {
			t.Append(hashes[i], nil)
		}
	}
	v.checkSeen()
}

// Checkpoint takes a checkpoint of the log's own at the size that it should have, which must be Size, or beyond it when the log has ended.
func (v *Verifier) Checkpoint(signed string, size int64) {
	if v.key == nil {
		return
	}
	c, err := openAny(signed, append([]note.Verifier{v.key}, v.former...))
	switch {
	case err != nil:
		v.report.add(Unsigned, -1, 0, "the checkpoint of size %d is not the log's: %v", size, err)
	case c.Size != size:
		v.report.add(Unsigned, -1, 0, "the checkpoint kept for size %d is of size %d", size, c.Size)
	case c.Size > v.Size():
		v.cut(c, "a signed checkpoint")
	case v.root(c.Root, c.Size, v.proven, "the signed checkpoint"):
		v.proven = c.Size
		v.report.Checkpoints++
		v.report.Signed, v.report.Latest = c.Size, signed
	}
}

// Added takes an entry that is in the log without a position, though its turn is over.
func (v *Verifier) Added(id int64) {
	v.report.add(Added, -1, id, "entry %d was added behind the log's back: it has no position, and its turn is over", id)
}

// Found takes a problem that the log's source found by itself.
func (v *Verifier) Found(kind Kind, position, entry int64, text string) {
	v.report.add(kind, position, entry, "%s", text)
}

// Pending takes the number of entries that wait for their position.
func (v *Verifier) Pending(n int64) { v.report.Pending = n }

// Finish says what was found. The verifier cannot be used any more.
func (v *Verifier) Finish() Report {
	for _, s := range v.seen {
		v.cut(s.Checkpoint, "the checkpoint "+s.Where)
	}
	v.settle(fromCopy)
	if v.key != nil && v.report.Signed == 0 && v.tree.Size() > 0 {
		v.report.add(Unsigned, -1, 0, "no checkpoint is signed by %s+%08x: anyone could have made this log", v.key.Name(), v.key.KeyHash())
	}
	v.report.Entries, v.report.Root = v.tree.Size(), v.tree.Root()
	return v.report
}

// Edge tells Tiles of the incomplete tiles: the log has ended.
func (v *Verifier) Edge() {
	if v.tree != nil {
		v.tree.Edge(v.upper)
	}
}

func (v *Verifier) upper(level int, n int64, hashes []tlog.Hash) {
	if v.Tiles != nil && level > 0 && v.report.OK() {
		v.Tiles(level, n, hashes)
	}
}

func (v *Verifier) cut(c Checkpoint, what string) {
	v.report.add(Cut, v.Size(), 0, "the log was cut: it has %d entries, %s has %d; positions %d to %d are missing",
		v.Size(), what, c.Size, v.Size(), c.Size-1)
}

func (v *Verifier) checkSeen() {
	for len(v.seen) > 0 && v.seen[0].Size == v.Size() {
		s := v.seen[0]
		v.seen = v.seen[1:]
		if v.root(s.Root, s.Size, v.witnessed, "the checkpoint "+s.Where) {
			v.witnessed = s.Size
		}
	}
}

// root says whether the log as it is now has a root, and blames those candidates that do not. The entries before from are known to be good.
func (v *Verifier) root(want tlog.Hash, size, from int64, what string) bool {
	switch {
	case v.lost:
		if !v.blamed {
			v.blamed = true
			v.report.add(Forked, -1, 0, "from position %d on nothing can be compared with a checkpoint: a hash is gone", from)
		}
		return false
	case v.tree != nil:
		if v.tree.Root() == want {
			return true
		}
	default:
		for i, t := range v.forks {
			if t.Root() == want {
				v.settle(i)
				return true
			}
		}
	}
	if !v.blamed {
		v.blamed = true
		v.report.add(Forked, from, 0, "the log is not the one of %s of size %d: an entry from position %d to %d was altered, together with every copy of its hash",
			what, size, from, size-1)
	}
	return false
}

// settle takes one candidate for the log and reports where the others differ.
func (v *Verifier) settle(trusted int) {
	if v.tree != nil {
		return
	}
	for _, d := range v.diffs {
		is := func(i int) bool { return d.hashes[i] == d.hashes[trusted] }
		if !d.missing && !is(fromRow) {
			v.report.add(Altered, d.position, d.entry, "entry %d at position %d was altered", d.entry, d.position)
		}
		if !is(fromCopy) {
			v.report.add(Hash, d.position, d.entry, "the hash kept for position %d was altered", d.position)
		}
		if !is(fromTile) {
			v.report.add(Hash, d.position, d.entry, "the tile of position %d was altered there", d.position)
		}
	}
	v.report.More += v.unlisted
	v.tree, v.forks, v.diffs, v.unlisted = v.forks[trusted], [candidates]*Tree{}, nil, 0
}

// note keeps a difference until it is known who is right, and only counts those that no report would list.
func (v *Verifier) note(d difference) {
	if len(v.diffs) >= maxProblems {
		v.unlisted++
		return
	}
	v.diffs = append(v.diffs, d)
}
