package hitl

import "time"

// WorkOrder says which reviews of a list come first.
type WorkOrder string

// The orders.
const (
	UrgentFirst WorkOrder = "urgent" // the most urgent, and of those in the queue's order
	NewestFirst WorkOrder = "newest"
)

// WorkQuery asks for one page of the reviews that wait in a queue.
type WorkQuery struct {
	Queue string
	// AILabel asks for reviews of items with this label of the model's. Blind ones are not among them: the list would tell what they hide.
	// Empty: all.
	AILabel string
	MinAge  time.Duration // only reviews that wait for so long, by the database's clock; 0: all
	Order   WorkOrder     // empty: UrgentFirst
	Queued  Ordering      // the queue's order, for UrgentFirst
	Page    int           // from 0; one beyond the end is the last
	Size    int           // reviews on a page, at least 1
}

// Worklist is one page of the reviews that wait in a queue.
type Worklist struct {
	Rows  []Record
	Total int // reviews on all pages
	Page  int // which one this is
}

// QueueWait is what waits in one queue.
type QueueWait struct {
	Queue     string
	Open      int
	OldestAge time.Duration // of the oldest open review, by the database's clock; 0: there is none
}

// Batch is what one person decided at one go and can still take back.
type Batch struct {
	ID      string
	Queue   string
	Label   string // the answer
	Until   time.Time
	Reviews []BatchReview // those that can be taken back, by id
}

// BatchReview is a round of a review that a batch decided.
type BatchReview struct {
	ID    string
	Round int
}
