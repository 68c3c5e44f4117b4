package audit

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"

	"hitl"
	"hitl/audit/verify"
)

// tileKey is where a tile stands.
type tileKey struct {
	level int
	n     int64
}

// tileSet are tiles to write.
type tileSet map[tileKey][]byte

func (s tileSet) put(level int, n int64, hashes []tlog.Hash) {
	s[tileKey{level, n}] = verify.JoinHashes(hashes)
}

func (s tileSet) write(ctx context.Context, tx pgx.Tx) error {
	var levels []int32
	var ns []int64
	var data [][]byte
	for k, d := range s {
		levels, ns, data = append(levels, int32(min(k.level, 63))), append(ns, k.n), append(data, d)
	}
	if _, err := tx.Exec(ctx, `
		INSERT INTO hitl.log_tiles (level, n, data) SELECT * FROM unnest($1::int[], $2::bigint[], $3::bytea[])
		ON CONFLICT (level, n) DO UPDATE SET data = excluded.data`, levels, ns, data); err != nil {
		return fmt.Errorf("write tiles: %w", err)
	}
	return nil
}

// readTile returns a tile's data, at least width hashes of it.
func readTile(ctx context.Context, q querier, level int, n int64, width int) ([]byte, error) {
	rows, err := q.Query(ctx, `SELECT data FROM hitl.log_tiles WHERE level = $1 AND n = $2`, level, n)
	if err != nil {
		return nil, fmt.Errorf("read tile %d/%d: %w", level, n, err)
	}
	data, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[[]byte])
	if errors.Is(err, pgx.ErrNoRows) || err == nil && len(data) < width*tlog.HashSize {
		return nil, fmt.Errorf("tile %d/%d: %w", level, n, hitl.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read tile %d/%d: %w", level, n, err)
	}
	return data, nil
}

func loadTree(ctx context.Context, q querier, size int64) (*verify.Tree, error) {
	tree, err := verify.LoadTree(size, func(level int, n int64, width int) ([]byte, error) { return readTile(ctx, q, level, n, width) })
	if err != nil {
		return nil, fmt.Errorf("load tree: %w", err)
	}
	return tree, nil
}

// treeReader reads hashes of the tree of a checkpoint, and checks every tile against its root.
func treeReader(ctx context.Context, q querier, c verify.Checkpoint) tlog.HashReader {
	return tlog.TileHashReader(tlog.Tree{N: c.Size, Hash: c.Root}, tileReader{ctx, q})
}

// tileReader is a tlog.TileReader on the table. It holds a context because that interface passes none.
type tileReader struct {
	ctx context.Context
	q   querier
}

// Height implements tlog.TileReader.
func (tileReader) Height() int { return verify.TileHeight }

// ReadTiles implements tlog.TileReader.
func (r tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(tiles))
	for i, t := range tiles {
		data, err := readTile(r.ctx, r.q, t.L, t.N, t.W)
		if err != nil {
			return nil, err
		}
		out[i] = data[:t.W*tlog.HashSize]
	}
	return out, nil
}

// SaveTiles implements tlog.TileReader.
func (tileReader) SaveTiles([]tlog.Tile, [][]byte) {}

// Tile returns the data of a tile of the log's tree, or hitl.ErrNotFound when the tree does not have it yet. The path is "8/L/N" or
// "8/L/N.p/W", as the Go checksum database names tiles, or without the height, as c2sp.org/tlog-tiles does. Tiles hold hashes only.
func (s *Store) Tile(ctx context.Context, path string) ([]byte, error) {
	tile, ok := parseTile(path)
	if !ok {
		return nil, hitl.ErrNotFound
	}
	data, err := readTile(ctx, s.pool, tile.L, tile.N, tile.W)
	if err != nil {
		return nil, err
	}
	return data[:tile.W*tlog.HashSize], nil
}

// parseTile reads a tile's path, with the height or without it.
func parseTile(path string) (tlog.Tile, bool) {
	tile, err := tlog.ParseTilePath("tile/" + path)
	if err != nil {
		tile, err = tlog.ParseTilePath("tile/8/" + path)
	}
	return tile, err == nil && tile.H == verify.TileHeight && tile.L >= 0
}
