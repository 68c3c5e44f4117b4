package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"hitl/classifier/starter"
)

// clientCount is how many clients post at once.
const clientCount = 64

// clients post items, each on a connection of its own that it keeps.
type clients struct {
	http   *http.Client
	url    string // of POST
	texts  []string
	queues int64 // over which items are spread
	posts  atomic.Int64
}

// newClients makes clients of a service with so many queues, or of a peer that takes the same requests.
func (b *bench) newClients(url string, queues int) *clients {
	c := &clients{queues: int64(queues), url: url + "/v1/items", http: &http.Client{
		Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: clientCount, MaxConnsPerHost: clientCount},
	}}
	for _, s := range starter.Samples() {
		c.texts = append(c.texts, s.Text)
	}
	b.onRowEnd(func(context.Context) error { c.http.CloseIdleConnections(); return nil })
	return c
}

// run has the clients post so many different items, and returns how many a second were answered with what is durable.
func (c *clients) run(ctx context.Context, items int) (float64, error) {
	begin := time.Now()
	err := spread(clientCount, items, func(int) error { return c.post(ctx) })
	return float64(items) / time.Since(begin).Seconds(), err
}

// post posts an item with a text that was not posted before, and returns once it is durable.
func (c *clients) post(ctx context.Context) error {
	n := c.posts.Add(1)
	body, err := json.Marshal(map[string]any{
		"id": fmt.Sprint("order-", n), "text": fmt.Sprintf("%s (order %d)", c.texts[n%int64(len(c.texts))], n),
		"metadata": map[string]any{"order": n, "channel": "mail", "queue": queueName(int(n % c.queues))},
	})
	if err != nil {
		return err
	}
	_, err = c.send(ctx, body)
	return err
}

// send posts a body and returns the answer, once what it says is durable.
func (c *clients) send(ctx context.Context, body []byte) (answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+sourceKey)
	req.Header.Set("Content-Type", "application/json")
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err = io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode/100 != 2 {
		return nil, fmt.Errorf("post an item: %s: %s", res.Status, answer)
	}
	return answer, nil
}

// spread calls do for 0 to n-1 from so many goroutines. The first error ends it.
func spread(goroutines, n int, do func(i int) error) error {
	var next atomic.Int64
	var failed atomic.Bool
	var mu sync.Mutex
	var errs []error
	var group sync.WaitGroup
	for range min(goroutines, n) {
		group.Go(func() {
			for i := next.Add(1) - 1; i < int64(n) && !failed.Load(); i = next.Add(1) - 1 {
				if err := do(int(i)); err != nil {
					failed.Store(true)
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
					return
				}
			}
		})
	}
	group.Wait()
	if len(errs) > 0 {
		return errs[0] // the others say the same
	}
	return nil
}
