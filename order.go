package hitl

import (
	"context"
	"fmt"
)

// OrderRules say in which order a queue's reviews are given out: by Desk.Next, as cards in the channel, and in lists. The zero value is the oldest first.
//
// With an order by uncertainty, what the model is least sure of goes first, since its answer teaches most. That holds among reviews of normal priority.
// Urgent ones still come before all others and go by age, for they are urgent; samples come last and go by age too, for their answers say how often
// accepted items are wrong, and those that have been answered so far must be a random part of all.
//
// Three things keep the others from being forgotten. A part of the reviews, drawn from their ids, has no place by uncertainty: it goes by age, and gets
// its share of the places (Uniform). A review is late once it has been reminded of, or half of its time to be escalated or to expire has passed, or its
// decision was taken back: while any is late, the oldest go first. And the share is never 0, so that a review without any such time has its turn.
//
// # What this does to statistics
//
// The order changes nothing about who is asked: the inclusion probability of an uncertain item is 1 with every order, and the log keeps it, with the order
// that was in force, the part's share, and the review's place by uncertainty (context: order, order_uniform, teaches). It changes what is answered first.
// As long as some wait, or when some expire, the answers are no longer missing at random: those that are there are of items that the model was less sure
// of, and more often wrong about, than those that are missing.
//
//   - Advice on thresholds, and its guarantee, rest on the random sample. Its share above the threshold is of priority sample, which no order touches.
//     What lies below counts as wrong without an answer, so that a promise errs on the safe side; who leaves unanswered items out gives that up, and a
//     backlog ordered by uncertainty then makes the region below the threshold look worse than it is.
//   - Calibrations, reliability, the comparison of models, training, and figures of the share of corrections use answers alone. With a backlog they see
//     too many uncertain items. Once all are answered, or in a window that ended long enough ago, that is over.
//   - Who must conclude something from a backlog takes the uniform part alone (order without teaches in the log): it is a random sample of the reviews of
//     normal priority, answered by age.
type OrderRules struct {
	By          string                // name of the measure, for the log; empty: age
	Uncertainty func([]Score) float64 // of a prediction, from 0 to 1 (the least sure; a failed one has no scores); nil: all go by age
	Uniform     float64               // share of the places that goes by age all the same, in (0, 1)
}

// Ordering is what must be known to give reviews out in a queue's order. The zero value is the oldest first.
type Ordering struct {
	Uniform float64 // OrderRules'; 0: all go by age
	Reminds bool    // the queue has reminders, so that a review without one to come has been reminded of
}

// Ordering returns how the queue's reviews are given out.
func (q QueueRules) Ordering() Ordering {
	if q.Order.Uncertainty == nil {
		return Ordering{}
	}
	return Ordering{Uniform: q.Order.Uniform, Reminds: q.RemindAfter > 0}
}

// ByAge says whether there is no order but age.
func (o Ordering) ByAge() bool { return o.Uniform <= 0 }

// Aged says whose turn it is when the first review by uncertainty and the first of the uniform part both wait: the latter's? It is drawn from both ids, so
// that it is drawn anew with each turn, that nobody need remember the turns before, and that whoever knows the ids can repeat it.
func (o Ordering) Aged(least, oldest string) bool {
	return uniform("order turn", least+"\x00"+oldest) < o.Uniform
}

// place gives a new review its place in the order.
func (o OrderRules) place(r *Review, scores []Score) {
	if o.Uncertainty == nil || r.Priority != PriorityNormal {
		return
	}
	r.Order, r.OrderUniform = o.By, o.Uniform
	if uniform("order", r.ID) < o.Uniform {
		return
	}
	teaches := 1.0 // as of a failed prediction
	if len(scores) > 0 {
		teaches = o.Uncertainty(scores)
	}
	if !(teaches >= 0 && teaches <= 1) { // NaN is not, either
		teaches = 1
	}
	r.Teaches = &teaches
}

// Orders is the part of the system of record that knows which card comes next.
type Orders interface {
	// NextCard returns the review of a queue that is to have the next card, of those that are waiting for one and not urgent; "" when there is none, when
	// an urgent one waits, which goes first anyway, and without room: as many cards as openLimit stand in the channel (0: no limit).
	NextCard(ctx context.Context, queue, channel string, openLimit int, o Ordering) (reviewID string, room bool, err error)
}

// Prefer has the review that is to have the next card of a queue delivered before all others, except those that are urgent. In a queue that goes by age it
// does nothing. It is a wish: whatever is delivered in its place, or twice, is shown once all the same. room is false when the channel was full, so that
// nothing was chosen: whatever is delivered then must not get a new card, even if there is room by now, but wait for the next choice.
//
// The index of waiting reviews keeps its streams, each first in, first out, and so do its leases: the one review that goes next is moved to the end of the
// urgent stream, where whoever takes it holds it like any other. An index that is in order itself would have to be kept in order with every change of
// priority, due time and rules, and would be a second truth.
func (d *Desk) Prefer(ctx context.Context, queue, channel string, openLimit int) (room bool, err error) {
	o := d.Queues[queue].Ordering()
	if o.ByAge() || d.Orders == nil || d.Waiting == nil {
		return true, nil
	}
	id, room, err := d.Orders.NextCard(ctx, queue, channel, openLimit, o)
	if err != nil {
		return true, fmt.Errorf("choose next card: %w", err)
	}
	if id == "" {
		return room, nil
	}
	return true, d.Waiting.Promote(ctx, queue, PriorityUrgent, id)
}
