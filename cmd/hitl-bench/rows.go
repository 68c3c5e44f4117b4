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
		{
			name: "clicks", measure: "from a click to its tick, which comes after the commit, 99th percentile at 200 clicks a second",
			reach: mark{bound: 50, atMost: true, unit: "ms"}, open: openClicks,
		},
		{
			name: "pending", measure: "posting, claiming and deciding while 1,000,000 reviews are pending",
			against: "while 10,000 are", reach: atLeast(0.9), open: openPending,
		},
		{
			name: "memory", measure: "memory of the service while 1,000,000 reviews are pending",
			against: "while 10,000 are", reach: atMost(1.1), open: openMemory,
		},
		{
			name: "rebuild", measure: "rebuilding a lost queue of 1,000,000 reviews in Redis",
			against: "the same entries in pipelined XADDs", reach: atLeast(0.5), open: openRebuild,
		},
		{
			name: "callbacks", measure: "callbacks delivered, signed, with their outcomes in Postgres",
			against: "the same bodies by plain net/http to the same sink", reach: atLeast(0.6), open: openCallbacks,
		},
		{
			name: "verify", measure: "verifying the log's entries up to a signed checkpoint",
			against: "SHA-256 of the same bytes on one core", reach: atLeast(0.3), open: openVerify,
		},
		{
			name: "stack", measure: "POST /v1/items, the whole way",
			against: "a service of FastAPI, onnxruntime and SQLAlchemy", reach: atLeast(5), needs: "fetch.sh", open: openStack,
		},
		{
			name: "awaithumans", measure: "from an item that needs a person, over the person's answer, to the outcome that is read",
			against: "the same with a task of awaithumans, which asks people as well", reach: atLeast(5), needs: "fetch.sh", open: openAwaitHumans,
		},
	}
}
