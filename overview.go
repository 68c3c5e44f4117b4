package hitl

import "time"

// QueueState is what waits in one queue now, by the database's clock.
type QueueState struct {
	Open    map[Priority]QueueWait // by priority; those of which nothing waits are missing
	Claimed int                    // of the open reviews, those that somebody has for themselves
	// Reminded, Escalated and Expired count the open reviews whose time to be reminded of, to be escalated or to expire has come. A review that came
	// before its queue had such a time counts as reminded of and escalated.
	Reminded, Escalated, Expired int
	NextExpiry                   time.Time // zero: no review will expire
}

// Total is all that waits.
func (s QueueState) Total() QueueWait {
	var all QueueWait
	for _, w := range s.Open {
		all.Queue = w.Queue
		all.Open += w.Open
		all.OldestAge = max(all.OldestAge, w.OldestAge)
	}
	return all
}

// QueueSince names a queue and a moment.
type QueueSince struct {
	Queue string
	Since time.Time
}

// QueueFigures are the main figures of one queue: what waits now, and what came of it since a moment. They are defined as those of Stats.
type QueueFigures struct {
	QueueWait
	Since     time.Time
	Items     int // received since then, whatever became of them
	Reviewed  int // of those, sent to the queue
	Accepted  int // decisions of people since then that stand
	Corrected int
}

// ReviewRate is the share of the items that came to the queue; 0 where none came in.
func (f QueueFigures) ReviewRate() float64 { return part(f.Reviewed, f.Items) }

// CorrectionRate is the share of people's decisions that corrected the model; 0 where there are none.
func (f QueueFigures) CorrectionRate() float64 { return part(f.Corrected, f.Accepted+f.Corrected) }

func part(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}
