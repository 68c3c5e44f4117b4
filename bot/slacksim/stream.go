package slacksim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// hub tells listeners that something changed. It says not what: listeners read the state they care for. So a slow
// listener misses nothing, it only sees several changes at once.
type hub struct {
	mu   sync.Mutex
	seq  int
	next chan struct{} // closed at the next change
}

func newHub() *hub { return &hub{next: make(chan struct{})} }

func (h *hub) changed() {
	h.mu.Lock()
	h.seq++
	close(h.next)
	h.next = make(chan struct{})
	h.mu.Unlock()
}

// watch returns the number of changes so far and a channel that is closed at the next one.
func (h *hub) watch() (int, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seq, h.next
}

// ErrClosed is what Wait returns when the Sim was closed.
var ErrClosed = errors.New("slack simulator closed")

// Wait blocks until ok returns true, asking again after every change in the workspace. It returns an error when ctx
// ends or the Sim is closed first. ok may call any method of the Sim.
func (s *Sim) Wait(ctx context.Context, ok func() bool) error {
	for {
		_, next := s.hub.watch()
		if ok() {
			return nil
		}
		select {
		case <-next:
		case <-ctx.Done():
			return fmt.Errorf("wait for the workspace: %w", ctx.Err())
		case <-s.closing:
			return ErrClosed
		}
	}
}

// serveEvents streams server-sent events: "data: N" with the number of changes so far, at once and after each change.
func (s *Sim) serveEvents(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	_ = control.SetWriteDeadline(time.Time{}) // not every server has deadlines
	for {
		seq, next := s.hub.watch()
		if _, err := fmt.Fprintf(w, "data: %d\n\n", seq); err != nil {
			return
		}
		if err := control.Flush(); err != nil {
			return
		}
		select {
		case <-next:
		case <-r.Context().Done():
			return
		case <-s.closing:
			return
		}
	}
}
