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
	url    string   // of the service
	more   []string // of its other processes, which get as many items each
	log    string   // its file, shown when a request fails; empty: there is none
	texts  []string
	queues int64 // over which items are spread
	posts  atomic.Int64
	turns  atomic.Int64 // requests
}

// newClients makes clients of a service with so many queues, or of a peer that takes the same requests.
func (b *bench) newClients(url string, queues int) *clients {
	c := &clients{queues: int64(queues), url: url, log: b.logs[origin(url)], http: &http.Client{
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
	return c.call(ctx, http.MethodPost, "/v1/items", c.item(), nil)
}

// item is the body of a POST, with a text that was not posted before.
func (c *clients) item() map[string]any {
	n, text := c.next()
	about := map[string]any{"order": n, "channel": "mail"}
	if c.queues > 1 { // a rule sends what names a queue to people, whatever the model says
		about["queue"] = queueName(int(n % c.queues))
	}
	return map[string]any{"id": fmt.Sprint("order-", n), "text": text, "metadata": about}
}

// next is a number and a text that were not given before.
func (c *clients) next() (int64, string) {
	n := c.posts.Add(1)
	return n, fmt.Sprintf("%s (order %d)", c.texts[n%int64(len(c.texts))], n)
}

// call makes a request, and reads the answer into a pointer unless it is nil. An error has the end of the service's log.
func (c *clients) call(ctx context.Context, method, path string, body, into any) error {
	answer, err := c.do(ctx, method, path, body)
	if err == nil && into != nil {
		err = json.Unmarshal(answer, into)
	}
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s %s: %w", method, path, err)
	if tail := logTail(c.log); len(tail) > 0 && ctx.Err() == nil {
		err = fmt.Errorf("%w\nthe end of its log:\n%s", err, tail)
	}
	return err
}

func (c *clients) do(ctx context.Context, method, path string, body any) ([]byte, error) {
	var content bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&content).Encode(body); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.to()+path, &content)
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
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s: %s", res.Status, answer)
	}
	return answer, nil
}

// to is the process that takes the next request: each in turn.
func (c *clients) to() string {
	if i := int(c.turns.Add(1) % int64(len(c.more)+1)); i > 0 {
		return c.more[i-1]
	}
	return c.url
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
