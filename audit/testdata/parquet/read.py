"""Read a Parquet file with pyarrow and with pandas.

The argument is the file. Standard output is a JSON object: "schema" is column to type as Arrow names it, "nullable" the columns that may be null,
"codecs" the codecs of all column chunks, "groups" the number of row groups, "rows" the rows, times as ISO 8601, and "frame" what pandas
makes of the first row's map and of times.
"""

import json
import sys

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq


def name(t):
    return f"map<{t.key_type}, {t.item_type}>" if pa.types.is_map(t) else str(t)



file = pq.ParquetFile(sys.argv[1])
file.read().validate(full=True)
chunks = [file.metadata.row_group(g).column(c) for g in range(file.num_row_groups) for c in range(file.metadata.num_columns)]
rows = file.read().to_pylist(maps_as_pydicts="strict")
frame = pd.read_parquet(sys.argv[1])
maps = [f.name for f in file.schema_arrow if pa.types.is_map(f.type)]
json.dump(
    {
        "schema": {f.name: name(f.type) for f in file.schema_arrow},
        "nullable": sorted(f.name for f in file.schema_arrow if f.nullable),
        "codecs": sorted({c.compression for c in chunks}),
        "groups": file.num_row_groups,
        "rows": rows,
        "frame": {"map": dict(frame[maps[0]][0]), "time": str(frame["received_at"].dt.tz), "rows": len(frame)},
    },
    sys.stdout,
    default=lambda t: t.isoformat(),
)
