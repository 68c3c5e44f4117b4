package hitl

// LogProof shows that the log entries of one item are in the log of a signed checkpoint. It can be checked without asking the service again:
// RFC 6962 says how, and `hitl verify --proof` does it.
type LogProof struct {
	Checkpoint string       `json:"checkpoint,omitempty"`    // a signed note (c2sp.org/tlog-checkpoint); empty when nothing is signed yet
	Proofs     []EntryProof `json:"proofs" nullable:"false"` // of the entries that the checkpoint covers; the newest may have to wait for the next
}

// EntryProof shows that one entry is in the log.
type EntryProof struct {
	Entry    int64    `json:"entry"`                   // its id
	Position int64    `json:"position"`                // the index of its leaf
	Leaf     []byte   `json:"leaf"`                    // every column of it, as the tree holds them
	Hashes   [][]byte `json:"hashes" nullable:"false"` // the inclusion proof, from the leaf up
}
