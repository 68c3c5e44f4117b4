package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Submission is a text to classify.
type Submission struct {
	// ID is your own id, at most 256 bytes: the idempotency key. The same again is the same item, also after a crash; another text with it is
	// ErrConflict. Empty: Submit draws one, which makes its own retries safe and no more.
	ID       string         `json:"id,omitempty"`
	Text     string         `json:"text"`               // at most 1 MiB of UTF-8
	Metadata map[string]any `json:"metadata,omitempty"` // what rules and reviewers may want to know; at most 64 KiB of JSON
	Subject  string         `json:"subject,omitempty"`  // key of the person the text is about, for erasure
	Source   string         `json:"source,omitempty"`   // implied by the key; if given, it must be the key's
}

// Submit hands a text in. When it returns without an error, the item is stored: with its answer if the model was sure, else for a person to answer,
// see Item.Final.
func (c *Client) Submit(ctx context.Context, s Submission) (Item, error) {
	if s.ID == "" {
		s.ID = rand.Text()
	}
	body, err := json.Marshal(s)
	if err != nil {
		return Item{}, fmt.Errorf("submit item %s: write metadata: %w", s.ID, err)
	}
	var it Item
	header, err := c.retry(ctx, call{method: http.MethodPost, path: "/v1/items", body: body, timeout: attemptTimeout}, &it)
	if err != nil {
		return Item{}, fmt.Errorf("submit item %s: %w", s.ID, err)
	}
	it.Replayed = header.Get("Idempotent-Replayed") == "true"
	return it, nil
}

// Get returns an item as it is now. id is the service's, Item.ID.
func (c *Client) Get(ctx context.Context, id string) (Item, error) {
	var it Item
	if _, err := c.retry(ctx, call{method: http.MethodGet, path: itemPath(id), timeout: attemptTimeout}, &it); err != nil {
		return Item{}, fmt.Errorf("get item %s: %w", id, err)
	}
	return it, nil
}

// Wait returns an item once it is final, however long that takes. It asks the service to answer when it is, and asks again when that took too long,
// when a connection broke or the service was away. When ctx ends, it returns the item as last seen (zero if it was never) and an error that is
// ctx.Err(); call it again to go on. Errors that waiting does not mend, ErrNotFound or ErrUnauthorized for example, end it at once.
//
// A decision may be taken back as long as its queue's undo_for allows: who acts on it at once should have that be 0 for the queue.
func (c *Client) Wait(ctx context.Context, id string) (Item, error) {
	var last Item
	for n := 0; ; n++ {
		var it Item
		asked := time.Now()
		cl := call{
			method: http.MethodGet, path: itemPath(id), query: url.Values{"wait": {c.poll.String()}}, timeout: c.poll + attemptTimeout,
		}
		_, err := c.once(ctx, cl, &it)
		wait, again := pause(err, n)
		switch {
		case err == nil && it.Final():
			return it, nil
		case ctx.Err() != nil:
			return last, fmt.Errorf("wait for item %s: %w", id, ctx.Err())
		case err == nil:
			last = it
			if time.Since(asked) >= c.poll/2 {
				n, wait = -1, 0 // it waited, as it should; it answers sooner where too many wait, or where it shuts down
			}
		case !again:
			return last, fmt.Errorf("wait for item %s: %w", id, err)
		}
		if err := sleep(ctx, wait); err != nil {
			return last, fmt.Errorf("wait for item %s: %w", id, err)
		}
	}
}

// Log returns what the append-only log holds of an item, the oldest entry first, with the proof that it is in the log.
func (c *Client) Log(ctx context.Context, id string) (ItemLog, error) {
	var l ItemLog
	if _, err := c.retry(ctx, call{method: http.MethodGet, path: itemPath(id) + "/log", timeout: attemptTimeout}, &l); err != nil {
		return ItemLog{}, fmt.Errorf("get log of item %s: %w", id, err)
	}
	return l, nil
}

// Ready returns nil when all parts of the service work. It is tried once.
func (c *Client) Ready(ctx context.Context) error {
	var answer struct{ Status string }
	if _, err := c.once(ctx, call{method: http.MethodGet, path: "/readyz", timeout: attemptTimeout}, &answer); err != nil {
		return fmt.Errorf("ask whether hitl is ready: %w", err)
	}
	if answer.Status != "ok" {
		return errors.New("ask whether hitl is ready: the answer is none of hitl's")
	}
	return nil
}

func itemPath(id string) string { return "/v1/items/" + url.PathEscape(id) }
