package audit

import (
	"io"

	"github.com/parquet-go/parquet-go"
)

// A row group is kept in memory, compressed, until it is complete. What ends it bounds the memory that an export takes, however many rows there are and
// however long their texts.
const (
	groupRows  = 50_000
	groupBytes = 16 << 20 // before compression
)

// newParquet returns what writes a row and what ends the output: row groups, zstd, and then the footer, without which nothing can be read.
//
// An empty field of a nullable column is null. Probabilities are MAP<string, double>, keys in order: dict(cell) in pandas, an index by label in DuckDB,
// Spark and Polars, and no column to be added when a model learns a new label. Times are UTC in microseconds, as exact as Postgres keeps them.
func newParquet[T exportedRow](w io.Writer) (write func(T) error, flush func() error) {
	out := parquet.NewGenericWriter[T](
		w, parquet.Compression(&parquet.Zstd),
		// Bounds help to skip pages when a query asks for a range. Of what people wrote they would be copies, 64 KB long, in the footer.
		parquet.SkipPageBounds("text"), parquet.SkipPageBounds("comment"), parquet.SkipPageBounds("notes", "list", "element", "text"),
	)
	rows, bytes := 0, 0
	write = func(row T) error {
		if _, err := out.Write([]T{row}); err != nil {
			return err
		}
		rows, bytes = rows+1, bytes+row.size()
		if rows < groupRows && bytes < groupBytes {
			return nil
		}
		rows, bytes = 0, 0
		return out.Flush()
	}
	return write, out.Close
}
