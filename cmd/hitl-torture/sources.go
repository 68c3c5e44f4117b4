package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"hitl"
	"hitl/classifier/starter"
)

// itemView is as much of the API's item as matters here.
type itemView struct {
	ID         string      `json:"id"`
	ExternalID string      `json:"external_id"`
	Status     hitl.Status `json:"status"`
	Label      string      `json:"label"`
	Review     *struct {
		ID    string           `json:"id"`
		Round int              `json:"round"`
		State hitl.ReviewState `json:"state"`
		Panel int              `json:"panel"`
	} `json:"review"`
	Decision *decisionView `json:"decision"`
}

type decisionView struct {
	Status   hitl.Status `json:"status"`
	Label    string      `json:"label"`
	Reviewer string      `json:"reviewer"`
	Round    int         `json:"round"`
}

func (v itemView) state() state {
	switch {
	case v.Decision != nil:
		return decided(v.Decision.Round, v.Decision.Label, v.Decision.Reviewer)
	case v.Status == hitl.AIAccepted:
		return sure(v.Label)
	case v.Review != nil:
		return pending(v.Review.Round)
	}
	return pending(1)
}

// upstream is one source: it posts items until each is acknowledged.
type upstream struct {
	feed
	base   string // of the service
	client *http.Client
	hist   *history
	texts  []string
	n      atomic.Int64
}

func newUpstream(f feed, base string, hist *history) *upstream {
	var texts []string
	for _, s := range starter.Samples() {
		texts = append(texts, s.Text)
	}
	return &upstream{feed: f, base: base, hist: hist, texts: texts, client: newClient(8 * time.Second)}
}

// newClient makes a client that takes a new connection for each request: the balancer in front chooses by connection.
func newClient(timeout time.Duration) *http.Client {
	return &http.Client{Timeout: timeout, Transport: &http.Transport{DisableKeepAlives: true}}
}

// inFlight is how many items of one source may wait for their acknowledgement; a source that has more waits itself.
const inFlight = 24

// run posts new items at a rate until storm ends, and goes on with those that are not acknowledged until ctx ends.
func (u *upstream) run(ctx, storm context.Context, rate float64, rng *rand.Rand) {
	var posting sync.WaitGroup
	defer posting.Wait()
	room := make(chan struct{}, inFlight)
	for sleep(storm, time.Duration(rng.ExpFloat64()*float64(time.Second)/rate)) == nil {
		select {
		case room <- struct{}{}:
		case <-storm.Done():
			return
		}
		k, text := u.next(rng)
		posting.Go(func() {
			defer func() { <-room }()
			if _, err := u.submit(ctx, k, text); err != nil && ctx.Err() == nil {
				u.hist.complain(err.Error())
			}
		})
	}
}

// next makes a new item: one of the samples, told apart by a number.
func (u *upstream) next(rng *rand.Rand) (key, string) {
	n := u.n.Add(1)
	return key{u.Name, fmt.Sprintf("%s-%05d", u.Name, n)}, fmt.Sprintf("%s (ticket %d)", u.texts[rng.IntN(len(u.texts))], n)
}

// submit posts one item again and again until it is acknowledged. It gives up when it is refused for good.
func (u *upstream) submit(ctx context.Context, k key, text string) (itemView, error) {
	for {
		call := u.hist.now()
		v, status, err := u.post(ctx, k, text)
		switch {
		case err == nil && status/100 == 2:
			u.hist.acknowledged(k, text, call, v)
			return v, nil
		case err == nil && status != http.StatusTooManyRequests && status < http.StatusInternalServerError:
			return v, fmt.Errorf("item %s was refused with status %d", k.id, status)
		}
		u.hist.unanswered(k, text, call)
		if err := sleep(ctx, 300*time.Millisecond); err != nil {
			return v, fmt.Errorf("item %s was not acknowledged: %w", k.id, err)
		}
	}
}

// post makes one attempt, in this source's own way.
func (u *upstream) post(ctx context.Context, k key, text string) (itemView, int, error) {
	var v itemView
	switch u.Name {
	case "desk":
		var batch struct {
			Results []struct {
				Status int      `json:"status"`
				Item   itemView `json:"item"`
			} `json:"results"`
		}
		status, err := u.call(ctx, http.MethodPost, "/v1/items/batch", map[string]any{"items": []any{map[string]any{"id": k.id, "text": text}}}, &batch)
		if err == nil && status == http.StatusOK && len(batch.Results) == 1 {
			return batch.Results[0].Item, batch.Results[0].Status, nil
		}
		return v, status, err
	case "hooks":
		status, err := u.call(ctx, http.MethodPost, "/v1/hooks/hooks", map[string]any{"ticket": map[string]any{"id": k.id, "message": text}}, &v)
		return v, status, err
	}
	status, err := u.call(ctx, http.MethodPost, "/v1/items", map[string]any{"id": k.id, "text": text}, &v)
	return v, status, err
}

// look reads an item by our id.
func (u *upstream) look(ctx context.Context, id string) (v itemView, status int, err error) {
	status, err = u.call(ctx, http.MethodGet, "/v1/items/"+id, nil, &v)
	return v, status, err
}

// call makes one request as this source and reads a 2xx answer into out.
func (u *upstream) call(ctx context.Context, method, path string, in, out any) (status int, err error) {
	var body io.Reader = http.NoBody
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return 0, err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, u.base+path, body)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+u.Key)
	req.Header.Set("Content-Type", "application/json")
	res, err := u.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return 0, err
	}
	if res.StatusCode/100 == 2 {
		if err := json.Unmarshal(answer, out); err != nil {
			return 0, errors.Join(errors.New("answer cannot be read"), err)
		}
	}
	return res.StatusCode, nil
}

// watch reads random acknowledged items of this source, now and then, until ctx ends.
func (u *upstream) watch(ctx context.Context, rng *rand.Rand) {
	for sleep(ctx, time.Duration(200+rng.IntN(400))*time.Millisecond) == nil {
		var mine []item
		for _, it := range u.hist.acked() {
			if it.source == u.Name {
				mine = append(mine, it)
			}
		}
		if len(mine) == 0 {
			continue
		}
		mine = mine[max(0, len(mine)-40):] // where things happen
		it := mine[rng.IntN(len(mine))]
		call := u.hist.now()
		v, status, err := u.look(ctx, it.ids[0])
		switch {
		case err != nil:
		case status == http.StatusOK:
			u.hist.saw(it.key, call, v.state())
		case status == http.StatusNotFound:
			u.hist.saw(it.key, call, absent)
		}
	}
}
