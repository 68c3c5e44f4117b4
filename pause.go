package hitl

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Pause is a queue that somebody has stopped: nothing of it is posted, offered, reminded of, escalated or expires. Items are taken in, and what is on
// a card can be decided.
type Pause struct {
	Queue  string    `json:"queue"`
	At     time.Time `json:"at"`
	By     string    `json:"by"` // a reviewer as the log writes them, or who ran the command
	Reason string    `json:"reason,omitempty"`
}

// Pauses is the part of the system of record that knows which queues are paused.
type Pauses interface {
	// Pause commits a pause with its notice and returns the one that stands, and whether it is this one.
	Pause(ctx context.Context, p Pause) (standing Pause, fresh bool, err error)
	// Resume ends a pause, with its notice, and returns it, or ErrNotFound. The due times of the queue's open reviews move by the time that was lost, as
	// hours counts it; until they have, nothing is due.
	Resume(ctx context.Context, queue, by string, hours Hours) (Pause, error)
}

// Pause stops a queue, and says whether it was running. Whether somebody may is the caller's to check. Errors: *InvalidError, ErrNotFound for an
// unknown queue; after any other it may be asked again.
func (d *Desk) Pause(ctx context.Context, queue, by, reason string) (standing Pause, fresh bool, err error) {
	if _, ok := d.Queues[queue]; !ok {
		return Pause{}, false, fmt.Errorf("queue %q: %w", queue, ErrNotFound)
	}
	reason = CleanText(strings.TrimSpace(reason))
	if len(reason) > MaxReasonBytes {
		return Pause{}, false, &InvalidError{"reason", fmt.Sprintf("is longer than %d bytes", MaxReasonBytes)}
	}
	standing, fresh, err = d.Pauses.Pause(ctx, Pause{Queue: queue, At: d.now(), By: by, Reason: reason})
	if err != nil {
		return standing, false, fmt.Errorf("pause queue: %w", err)
	}
	return standing, fresh, nil
}

// Resume lets a queue go on and returns the pause that is over. Error: ErrNotFound when it was not paused; after any other it may be asked again.
func (d *Desk) Resume(ctx context.Context, queue, by string) (Pause, error) {
	p, err := d.Pauses.Resume(ctx, queue, by, d.Queues[queue].Hours)
	if err != nil {
		return p, fmt.Errorf("resume queue %q: %w", queue, err)
	}
	return p, nil
}
