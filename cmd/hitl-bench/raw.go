package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	rawBatch = clientCount // rows of items in a transaction
	rawConns = 2           // while one commits, the other writes
)

// raw writes the rows of items that a service wrote before into another database with the same schema: one array for each column, in Postgres'
// binary form, one INSERT … SELECT unnest for each table, all of a batch in one transaction and one round trip. Nothing is encoded, checked or
// answered: it is what this Postgres gives.
type raw struct {
	from   *pgx.Conn
	to     [rawConns]*pgx.Conn
	tables []rawTable
	after  string // the last item that was taken
}

// rawTable is a table that holds a part of an item.
type rawTable struct {
	read, write string
	item        string // its column with the item's id
	types       []uint32
}

// tables of an item, parents first, and their columns with the item's id.
var itemTables = [][2]string{{"items", "id"}, {"item_texts", "item_id"}, {"reviews", "item_id"}, {"log", "item_id"}}

// openRaw connects to both databases for the length of the row.
func (b *bench) openRaw(ctx context.Context, from, to string) (*raw, error) {
	r := &raw{}
	var err error
	if r.from, err = b.connect(ctx, from); err != nil {
		return nil, err
	}
	for i := range r.to {
		if r.to[i], err = b.connect(ctx, to); err != nil {
			return nil, err
		}
	}
	for _, t := range itemTables {
		table, err := r.describe(ctx, t[0], t[1])
		if err != nil {
			return nil, fmt.Errorf("describe table %s: %w", t[0], err)
		}
		r.tables = append(r.tables, table)
	}
	return r, nil
}

// describe makes the statements of a table. Columns that Postgres fills in by itself are left to it. Arrays of arrays must be rectangles, so
// columns that are arrays go as text.
func (r *raw) describe(ctx context.Context, name, item string) (rawTable, error) {
	rows, err := r.from.Query(ctx, `
		SELECT attname, format_type(CASE WHEN typcategory = 'A' THEN 'text'::regtype ELSE atttypid END, NULL), format_type(atttypid, NULL),
		    CASE WHEN typcategory = 'A' THEN 'text[]'::regtype ELSE typarray END
		FROM pg_attribute JOIN pg_type t ON t.oid = atttypid
		WHERE attrelid = ('hitl.' || $1)::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = '' AND atttypid <> 'xid8'::regtype
		ORDER BY attnum`, name)
	if err != nil {
		return rawTable{}, err
	}
	t := rawTable{item: item}
	var names, read, params, casts []string
	var column, as, is string
	var array uint32
	_, err = pgx.ForEachRow(rows, []any{&column, &as, &is, &array}, func() error {
		names = append(names, column)
		read = append(read, fmt.Sprintf("array_agg(%s::%s ORDER BY %s)", column, as, item))
		params = append(params, fmt.Sprintf("$%d::%s[]", len(names), as))
		casts = append(casts, column+"::"+is)
		t.types = append(t.types, array)
		return nil
	})
	list := strings.Join(names, ", ")
	t.read = fmt.Sprintf("SELECT %s FROM hitl.%s WHERE %s = ANY ($1)", strings.Join(read, ", "), name, item)
	t.write = fmt.Sprintf("INSERT INTO hitl.%s (%s) SELECT %s FROM unnest(%s) AS t (%s)",
		name, list, strings.Join(casts, ", "), strings.Join(params, ", "), list)
	return t, err
}

// rawValues are a batch's columns, for each table.
type rawValues [][][]byte

// run writes the next items and returns how many a second were committed. Reading them is not counted.
func (r *raw) run(ctx context.Context, items int) (float64, error) {
	batches := make([]rawValues, 0, items/rawBatch)
	for range items / rawBatch {
		v, err := r.next(ctx)
		if err != nil {
			return 0, fmt.Errorf("read rows: %w", err)
		}
		batches = append(batches, v)
	}
	begin := time.Now()
	free := make(chan *pgx.Conn, rawConns)
	for _, c := range r.to {
		free <- c
	}
	err := spread(rawConns, len(batches), func(i int) error {
		c := <-free
		defer func() { free <- c }()
		return r.write(ctx, c.PgConn(), batches[i])
	})
	return float64(items) / time.Since(begin).Seconds(), err
}

// next reads a batch of the items that were not taken yet.
func (r *raw) next(ctx context.Context) (rawValues, error) {
	rows, err := r.from.Query(ctx, `SELECT id FROM hitl.items WHERE id > $1 ORDER BY id LIMIT $2`, r.after, rawBatch)
	if err != nil {
		return nil, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	if len(ids) < rawBatch {
		return nil, fmt.Errorf("only %d items are left, want %d", len(ids), rawBatch)
	}
	r.after = ids[len(ids)-1]
	var all rawValues
	for _, t := range r.tables {
		rows, err := r.from.Query(ctx, t.read, pgx.QueryResultFormats{pgx.BinaryFormatCode}, ids)
		if err != nil {
			return nil, err
		}
		if !rows.Next() {
			return nil, errors.Join(errors.New("no row"), rows.Err())
		}
		var columns [][]byte
		for _, value := range rows.RawValues() {
			if value != nil {
				value = append([]byte{}, value...) // it is valid until the next row
			}
			columns = append(columns, value)
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			return nil, err
		}
		all = append(all, columns)
	}
	return all, nil
}

// write commits a batch.
func (r *raw) write(ctx context.Context, conn *pgconn.PgConn, v rawValues) error {
	var batch pgconn.Batch
	formats := []int16{pgx.BinaryFormatCode}
	batch.ExecParams("BEGIN", nil, nil, nil, nil)
	for i, t := range r.tables {
		if v[i][0] == nil {
			continue // none of these items has a row here
		}
		batch.ExecParams(t.write, v[i], t.types, formats, nil)
	}
	batch.ExecParams("COMMIT", nil, nil, nil, nil)
	_, err := conn.ExecBatch(ctx, &batch).ReadAll()
	return err
}
