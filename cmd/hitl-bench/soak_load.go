package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"hitl"
)

// texts are what is posted, by how sure the model is of them. The number that makes each text another one moves that a little.
type texts struct {
	sure   []string // above the threshold, whatever the number
	unsure []string // far below
}

// load posts items, and keeps what became of them until a sampler asks.
type load struct {
	*clients
	texts    *texts
	unsure   float64 // share of texts that the model is not sure of
	arrivals arrivals

	reviewed atomic.Int64    // of what sort and closed have posted, what goes to people
	doubted  map[string]bool // the texts of these

	mu       sync.Mutex
	took     []time.Duration // since last asked
	failed   int64
	answered int64
	first    error // of what failed
}

// sort posts each text once and sorts them by what the model says.
func (l *load) sort(ctx context.Context) (*texts, error) {
	var t texts
	for _, text := range l.clients.texts {
		confidence, err := l.try(ctx, text)
		switch {
		case err != nil:
			return nil, err
		case confidence >= 0.95:
			t.sure = append(t.sure, text)
		case confidence < 0.75:
			t.unsure = append(t.unsure, text)
		}
	}
	l.texts = &t
	return &t, l.enough()
}

func (l *load) enough() error {
	if t := l.texts; len(t.sure) == 0 || len(t.unsure) == 0 {
		return fmt.Errorf("of %d texts the model is sure of %d and not of %d: both are needed", len(l.clients.texts), len(t.sure), len(t.unsure))
	}
	return nil
}

// try posts a text once more, and returns how sure the model is.
func (l *load) try(ctx context.Context, text string) (confidence float64, err error) {
	answer, err := l.do(ctx, http.MethodPost, "/v1/items", l.body(l.posts.Add(1)-1, text))
	if err != nil {
		return 0, err
	}
	var it struct {
		Status     hitl.Status
		Confidence float64
	}
	if err := json.Unmarshal(answer, &it); err != nil {
		return 0, fmt.Errorf("read an answer: %w", err)
	}
	if it.Status != hitl.AIAccepted {
		l.reviewed.Add(1)
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.doubted == nil {
			l.doubted = map[string]bool{}
		}
		l.doubted[text] = true
	}
	return it.Confidence, nil
}

// leaveDoubted takes the texts out that the model was not always sure of.
func (l *load) leaveDoubted() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.texts.sure = slices.DeleteFunc(l.texts.sure, func(text string) bool { return l.doubted[text] })
	return l.enough()
}

// closed posts sure texts from all clients for some time, each as soon as its last was answered.
func (l *load) closed(ctx context.Context, length time.Duration) error {
	end := time.Now().Add(length)
	return spread(clientCount, clientCount, func(int) error {
		for time.Now().Before(end) {
			if _, err := l.try(ctx, l.texts.sure[l.posts.Load()%int64(len(l.texts.sure))]); err != nil {
				return err
			}
		}
		return nil
	})
}

// arrive posts the next item, and counts from when it was due.
func (l *load) arrive(ctx context.Context, due time.Time) {
	n := l.posts.Add(1) - 1
	from := l.texts.sure
	if int64(float64(n+1)*l.unsure) > int64(float64(n)*l.unsure) {
		from = l.texts.unsure
	}
	_, err := l.do(ctx, http.MethodPost, "/v1/items", l.body(n, from[n%int64(len(from))]))
	took := time.Since(due)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.failed++
		if l.first == nil {
			l.first = err
		}
		return
	}
	l.answered++
	l.took = append(l.took, took)
}

// since returns how long items took that were answered since it was last asked, ascending.
func (l *load) since() []time.Duration {
	l.mu.Lock()
	took := l.took
	l.took = make([]time.Duration, 0, len(took))
	l.mu.Unlock()
	slices.Sort(took)
	return took
}

func (l *load) failures() (n int64, first error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed, l.first
}

const orderPrefix = "order-"

// body is an item with a text that was not posted before. Nothing in it asks for a queue, which would send it to people.
func (*load) body(n int64, text string) map[string]any {
	return map[string]any{
		"id": orderPrefix + strconv.FormatInt(n, 10), "text": fmt.Sprintf("%s (order %d)", text, n), "metadata": map[string]any{"order": n, "channel": "mail"},
	}
}

// receipts remember of which orders a callback came, a bit each: a soak of a day has a hundred million.
type receipts struct {
	mu    sync.Mutex
	seen  []uint64
	once  int64
	again int64
}

// read takes the body of a callback.
func (r *receipts) read(body io.Reader) error {
	var told struct {
		Type string
		Data struct {
			ExternalID string `json:"external_id"`
		}
	}
	if err := json.NewDecoder(body).Decode(&told); err != nil {
		return err
	}
	number, ok := strings.CutPrefix(told.Data.ExternalID, orderPrefix)
	n, err := strconv.ParseUint(number, 10, 40)
	if !ok || err != nil || told.Type != "item.decided" {
		return errors.New("this is no callback of an order")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for uint64(len(r.seen)) <= n/64 {
		r.seen = append(r.seen, 0)
	}
	bit := uint64(1) << (n % 64)
	if r.seen[n/64]&bit != 0 {
		r.again++
		return nil
	}
	r.seen[n/64] |= bit
	r.once++
	return nil
}

func (r *receipts) distinct() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.once
}

func (r *receipts) repeated() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.again
}
