// Package verify checks hitl's log with nothing but the log itself and a public key: no database, no network, no clock.
//
// The log is a Merkle tree as RFC 6962 and the Go checksum database build it. Its leaves are the entries, in the encoding of
// [Entry.Leaf]; a [Checkpoint] is its size and root, signed as a note. Whoever holds one checkpoint can tell whether any later
// state of the log contains exactly what the log contained then.
//
//   - [Tree] (tree.go) grows by one hash at a time and keeps only its right edge.
//   - [OpenCheckpoint] and [SignCheckpoint] (checkpoint.go) read and write notes.
//   - [Verifier] (verifier.go) is fed a log line by line and says what was altered, missing or added.
//   - [ReadBundle] and [BundleWriter] (bundle.go) carry a whole log in a file of JSON lines.
//   - [CheckTiles] and [CheckExtends] (tiles.go) check a log of which there are only tiles.
//   - [Proof] (proof.go) shows that one entry is in the log of a checkpoint; [ItemLog] (item.go) is what the API answers.
package verify
