package main

// rows are all that is measured, in the order of the table.
func rows() []row {
	return []row{
		{
			name: "ingest", measure: "POST /v1/items until the answer that it is durable, starter model, 64 clients",
			against: "the same rows written straight, in unnest batches, on the same Postgres", reach: atLeast(0.5), open: openIngest,
		},
		{
			name: "tree", measure: "the same, while the log's Merkle tree grows and checkpoints are signed",
			against: "without the tree", reach: atLeast(0.9), open: openTree,
		},
	}
}
