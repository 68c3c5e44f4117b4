package verify

import (
	"crypto/sha256"
	"fmt"
	"math/bits"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	// TileHeight is the height of the tiles, eight as in the Go checksum database.
	TileHeight = 8
	// TileWidth is how many hashes a complete tile holds.
	TileWidth = 1 << TileHeight
)

// Tree is a Merkle tree (RFC 6962, section 2.1) that can only grow. It keeps its right edge, the tiles that are not complete: at
// most 255 hashes for each factor of 256 of its size. The zero value is the empty tree. It is not safe for concurrent use.
type Tree struct {
	size  int64
	edges [][]tlog.Hash // by tile level: the last, incomplete tile
}

// Size is how many leaves the tree has.
func (t *Tree) Size() int64 { return t.size }

// Append adds a leaf. Each tile that it completes is given to complete, which may be nil and must not keep the hashes.
func (t *Tree) Append(leaf tlog.Hash, complete func(level int, n int64, hashes []tlog.Hash)) {
	t.size++
	h := leaf
	for level := 0; ; level++ {
		if level == len(t.edges) {
			t.edges = append(t.edges, make([]tlog.Hash, 0, TileWidth))
		}
		t.edges[level] = append(t.edges[level], h)
		if len(t.edges[level]) < TileWidth {
			return
		}
		if complete != nil {
			complete(level, t.size>>(TileHeight*(level+1))-1, t.edges[level])
		}
		h = TileHash(t.edges[level])
		t.edges[level] = t.edges[level][:0]
	}
}

// Edge calls f for each incomplete tile that is not empty.
func (t *Tree) Edge(f func(level int, n int64, hashes []tlog.Hash)) {
	for level, hashes := range t.edges {
		if len(hashes) > 0 {
			f(level, t.size>>(TileHeight*(level+1)), hashes)
		}
	}
}

// Root is the hash of the whole tree.
func (t *Tree) Root() tlog.Hash {
	if t.size == 0 {
		return sha256.Sum256(nil)
	}
	// Each edge splits into the perfect subtrees that the bits of its width name, the widest first; a root takes them in from the right.
	var root tlog.Hash
	some := false
	for _, hashes := range t.edges {
		for len(hashes) > 0 {
			width := 1 << bits.TrailingZeros(uint(len(hashes)))
			sub := TileHash(hashes[len(hashes)-width:])
			hashes = hashes[:len(hashes)-width]
			if some {
				root = tlog.NodeHash(sub, root)
			} else {
				root, some = sub, true
			}
		}
	}
	return root
}

// Clone returns a copy that grows on its own.
func (t *Tree) Clone() *Tree {
	c := &Tree{size: t.size, edges: make([][]tlog.Hash, len(t.edges))}
	for i, e := range t.edges {
		c.edges[i] = append(make([]tlog.Hash, 0, TileWidth), e...)
	}
	return c
}

// LoadTree returns a tree of a size from its incomplete tiles. read returns the data of a tile, at least its first width hashes.
func LoadTree(size int64, read func(level int, n int64, width int) ([]byte, error)) (*Tree, error) {
	t := &Tree{size: size}
	for level := 0; size>>(TileHeight*level) > 0; level++ {
		count := size >> (TileHeight * level)
		width := int(count % TileWidth)
		edge := make([]tlog.Hash, 0, TileWidth)
		if width > 0 {
			data, err := read(level, count>>TileHeight, width)
			if err != nil {
				return nil, err
			}
			if len(data) < width*tlog.HashSize {
				return nil, fmt.Errorf("tile %d/%d holds %d bytes, a tree of %d needs %d", level, count>>TileHeight, len(data), size, width*tlog.HashSize)
			}
			edge = append(edge, SplitHashes(data[:width*tlog.HashSize])...)
		}
		t.edges = append(t.edges, edge)
	}
	return t, nil
}

// TileHash is the root of the perfect tree over hashes, whose number is a power of two.
func TileHash(hashes []tlog.Hash) tlog.Hash {
	hashes = slices.Clone(hashes)
	for len(hashes) > 1 {
		for i := 0; i < len(hashes)/2; i++ {
			hashes[i] = tlog.NodeHash(hashes[2*i], hashes[2*i+1])
		}
		hashes = hashes[:len(hashes)/2]
	}
	return hashes[0]
}

// JoinHashes returns the data of a tile.
func JoinHashes(hashes []tlog.Hash) []byte {
	data := make([]byte, 0, len(hashes)*tlog.HashSize)
	for _, h := range hashes {
		data = append(data, h[:]...)
	}
	return data
}

// SplitHashes returns the hashes of a tile's data; what is too short for one at its end is left out.
func SplitHashes(data []byte) []tlog.Hash {
	hashes := make([]tlog.Hash, len(data)/tlog.HashSize)
	for i := range hashes {
		copy(hashes[i][:], data[i*tlog.HashSize:])
	}
	return hashes
}
