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
		{
			name: "hugot", measure: "classifying with a real transformer in pure Go, from text to probabilities",
			against: "a bare loop around hugot in its best batch size", reach: atLeast(0.95), needs: "fetch.sh", open: openHugot,
		},
		{
			name: "runtime", measure: "classifying on ONNX Runtime, tokenising included",
			against: "ONNX Runtime alone on tokenised and sorted input, same threads", reach: atLeast(0.9), needs: "fetch.sh, ONNX Runtime", open: openRuntime,
		},
		{
			name: "tokenizer", measure: "our WordPiece tokenizer on one core",
			against: "Hugging Face's tokenizers on one core, same texts, equal ids", reach: atLeast(1), needs: "fetch.sh", open: openTokenizer,
		},
		{
			name: "lengths", measure: "classifying texts of skewed lengths, which batches sort",
			against: "batches in the order of arrival", reach: atLeast(1.5), needs: "fetch.sh, ONNX Runtime", open: openLengths,
		},
		{
			name: "int8", measure: "an int8 transformer on ONNX Runtime",
			against: "the fp32 model that it was made of", reach: atLeast(1.4), needs: "fetch.sh, ONNX Runtime", open: openInt8,
		},
	}
}
