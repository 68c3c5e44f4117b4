package verify

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Kind is a kind of problem.
type Kind string

// The kinds of problems.
const (
	Altered  Kind = "altered"    // an entry is not what the tree holds
	Missing  Kind = "missing"    // an entry of the tree is gone
	Added    Kind = "added"      // an entry stands in the log, and the tree does not have it
	Hash     Kind = "hash"       // a kept hash or tile is wrong, the entry is right
	Unsigned Kind = "checkpoint" // a checkpoint is not signed by the key, or unreadable
	Forked   Kind = "forked"     // the log is not the one of a checkpoint; which entry differs, no copy of the hashes can tell
	Cut      Kind = "cut"        // the log is shorter than a checkpoint says it was
	Detached Kind = "detached"   // what was taken out of the log is not what the log says of it
	Record   Kind = "record"     // an item, a text or a decision is not what the log says
)

// Problem is one thing that is wrong with a log.
type Problem struct {
	Kind     Kind   `json:"kind"`
	Position int64  `json:"position"` // -1 when it has none
	Entry    int64  `json:"entry,omitempty"`
	Text     string `json:"text"`
}

// maxProblems bounds how many problems a report lists.
const maxProblems = 1000

// Report is what a verification found.
type Report struct {
	Entries     int64 `json:"entries"`             // in the tree
	Pending     int64 `json:"pending"`             // not yet in the tree
	Checkpoints int   `json:"checkpoints"`         // signed, and true
	Signed      int64 `json:"signed"`              // how many entries the last true checkpoint covers
	Items       int64 `json:"items,omitempty"`     // that were compared with their entries
	Decisions   int64 `json:"decisions,omitempty"` // likewise
	// Detached counts the entries that were taken out of the log, as the log says: their hashes hold the tree, and what they say was not looked at.
	Detached     int64    `json:"detached,omitempty"`
	DetachedFrom []string `json:"detached_from,omitempty"` // the tables that they went with
	// Uncompared counts the items, decisions and the like whose entries are among those, and which nothing was compared with.
	Uncompared int64     `json:"uncompared,omitempty"`
	Root       tlog.Hash `json:"root"`
	Latest     string    `json:"-"` // the last true checkpoint, as a note
	Problems   []Problem `json:"problems,omitempty"`
	More       int       `json:"more,omitempty"` // problems that are not listed
}

// Differs adds a part of the record that is not what an entry says; 0: there is no entry.
func (r *Report) Differs(entry int64, text string) { r.add(Record, -1, entry, "%s", text) }

// OK says whether nothing was wrong.
func (r *Report) OK() bool { return len(r.Problems) == 0 }

func (r *Report) add(kind Kind, position, entry int64, format string, args ...any) {
	if len(r.Problems) >= maxProblems {
		r.More++
		return
	}
	r.Problems = append(r.Problems, Problem{kind, position, entry, fmt.Sprintf(format, args...)})
}
