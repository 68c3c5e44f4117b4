package hitl

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// MaxEraserBytes bounds the name of who had something erased.
const MaxEraserBytes = 200

// Erasure says what is to be erased, who wants it and why. By and Reason stand in the log from then on, which nobody can erase.
type Erasure struct {
	Items   []string  // these items; empty: all that the other fields say
	Subject string    // whose key this is
	Source  string    // of this source
	Before  time.Time // received before; only with Source
	By      string    // "cli/ana", or "system"
	Reason  string
}

// Check refuses an erasure of everything, which nobody can mean, and one that leaves no good trace. Errors are *InvalidError.
func (e Erasure) Check() error {
	switch {
	case len(e.Items) == 0 && e.Subject == "" && (e.Source == "" || e.Before.IsZero()):
		return &InvalidError{"erasure", "needs items, a subject, or a source and a time"}
	case len(e.Items) > 0 && (e.Subject != "" || e.Source != "" || !e.Before.IsZero()):
		return &InvalidError{"erasure", "is of items or of all that fits the rest, not both"}
	case strings.TrimSpace(e.Reason) == "":
		return &InvalidError{"reason", "is missing; the log keeps why something was erased"}
	}
	for _, f := range []struct {
		name, text string
		limit      int
	}{{"reason", e.Reason, MaxReasonBytes}, {"by", e.By, MaxEraserBytes}} {
		switch {
		case f.text == "":
			return &InvalidError{f.name, "is missing"}
		case len(f.text) > f.limit:
			return &InvalidError{f.name, fmt.Sprintf("is longer than %d bytes", f.limit)}
		case CleanText(f.text) != f.text:
			return &InvalidError{f.name, "is no text: it holds invalid UTF-8 or NUL"}
		}
	}
	return nil
}

// Erasable is an item that is not erased yet.
type Erasable struct {
	ItemID   string
	ReviewID string // its open review; empty: none
}

// Erasures is the part of the system of record that Eraser needs.
type Erasures interface {
	// Erasable returns items that an erasure means and that are not erased yet, limit at most.
	Erasable(ctx context.Context, e Erasure, limit int) ([]Erasable, error)
	// Erase erases items, with a log entry for each and the refreshes of the cards that show them, in one transaction, and returns how many.
	// It leaves alone what was erased before and what has an open review.
	Erase(ctx context.Context, itemIDs []string, at time.Time, by, reason string) (int, error)
}

// ErasureCount is what an erasure did.
type ErasureCount struct {
	Items     int // erased
	Cancelled int // open reviews of theirs that were cancelled first
}

// Eraser erases items. What that leaves: ids, labels, probabilities, who decided what and when, and the log's commitments, which without the
// erased keys say nothing about the texts. It is safe for concurrent use; its fields must not change once it is used.
type Eraser struct {
	Erasures Erasures
	Desk     *Desk
	Batch    int // items in one transaction; 0: 100
	Logger   *slog.Logger
	Now      func() time.Time
}

// Erase erases what e means, batch by batch, until nothing is left of it or limit items (0: no limit) are erased. Open reviews are cancelled
// first, as any decision is made, since nobody can review what is gone: their upstreams are called back. progress, if not nil, is told
// after each batch how much is done.
//
// Killed or failed half way, it may have erased some items wholly and cancelled a review of others; running it again does the rest. Errors:
// *InvalidError when e means everything or nothing, or leaves no trace.
func (r *Eraser) Erase(ctx context.Context, e Erasure, limit int, progress func(ErasureCount)) (ErasureCount, error) {
	var done ErasureCount
	if err := e.Check(); err != nil {
		return done, err
	}
	size := r.Batch
	if size <= 0 {
		size = 100
	}
	fruitless := 0
	for limit <= 0 || done.Items < limit {
		if limit > 0 {
			size = min(size, limit-done.Items)
		}
		batch, err := r.Erasures.Erasable(ctx, e, size)
		if err != nil {
			return done, fmt.Errorf("list items to erase: %w", err)
		}
		if len(batch) == 0 {
			break
		}
		n, err := r.erase(ctx, e, batch, &done)
		if err != nil {
			return done, err
		}
		// Others may have erased all of a batch meanwhile. That is fine, but what makes no headway must not go on for ever.
		if fruitless++; n > 0 {
			fruitless = 0
		}
		if fruitless == maxFruitless {
			return done, fmt.Errorf("erase %d items: %w", len(batch), errContended)
		}
		done.Items += n
		if progress != nil && n > 0 {
			progress(done)
		}
	}
	if done.Items > 0 {
		r.Logger.InfoContext(ctx, "erased", "items", done.Items, "cancelled_reviews", done.Cancelled, "by", e.By)
	}
	return done, nil
}

// maxFruitless is how many batches in a row may come to nothing.
const maxFruitless = 10

var errContended = errors.New("their reviews are opened again and again; try later")

func (r *Eraser) erase(ctx context.Context, e Erasure, batch []Erasable, done *ErasureCount) (int, error) {
	ids := make([]string, len(batch))
	for i, item := range batch {
		ids[i] = item.ItemID
		if item.ReviewID == "" {
			continue
		}
		won, err := r.Desk.Cancel(ctx, item.ReviewID, cancelledByErasure)
		if err != nil {
			return 0, fmt.Errorf("cancel review of item %s: %w", item.ItemID, err)
		}
		if won {
			done.Cancelled++
		}
	}
	n, err := r.Erasures.Erase(ctx, ids, r.Now().UTC().Truncate(time.Microsecond), e.By, e.Reason)
	if err != nil {
		return 0, fmt.Errorf("erase items: %w", err)
	}
	return n, nil
}

// cancelledByErasure is the reason of the decisions that erasure makes.
const cancelledByErasure = "erased"
