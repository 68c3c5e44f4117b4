package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	defaultRetryFor = time.Minute
	attemptTimeout  = 45 * time.Second // the service itself gives up a submission after 30 s
	firstPause      = 250 * time.Millisecond
	maxPause        = 15 * time.Second
	maxAnswer       = 32 << 20 // bytes; the log of an item that was decided very often is the largest there is
)

// Client calls one hitl service as one source. It is safe for concurrent use and has no goroutines of its own.
type Client struct {
	base     *url.URL
	key      string
	http     *http.Client
	agent    string
	retryFor time.Duration
	poll     time.Duration
}

// Option changes a Client.
type Option func(*Client)

// WithHTTPClient sets what sends the requests. Its Timeout, if it has one, must be longer than WithPoll's. Default: http.DefaultClient.
func WithHTTPClient(h *http.Client) Option { return func(c *Client) { c.http = h } }

// WithRetryFor sets how long a call, other than Wait, may take with its retries before it returns the last error. 0: it is tried once. Default: one
// minute; the call's context ends it earlier.
func WithRetryFor(d time.Duration) Option { return func(c *Client) { c.retryFor = d } }

// WithPoll sets how long one request of Wait may wait for the answer: less than any proxy on the way allows, from one second to one minute.
// Default: 30 s.
func WithPoll(d time.Duration) Option { return func(c *Client) { c.poll = d } }

// WithUserAgent names the program in the service's log. Default: "hitl-client".
func WithUserAgent(name string) Option { return func(c *Client) { c.agent = name } }

// New returns a client of the service at baseURL ("https://hitl.example.org"), with the key of a source, as `hitl keys create` makes them. It connects
// to nothing. Its errors never hold the key.
func New(baseURL, key string, options ...Option) (*Client, error) {
	u, err := url.Parse(baseURL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("make hitl client: the address must be like https://hitl.example.org") // its text may hold a password
	}
	if key == "" || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("make hitl client: the key is empty, or no header can hold it; `hitl keys create` makes one")
	}
	c := &Client{base: u, key: key, http: http.DefaultClient, agent: "hitl-client", retryFor: defaultRetryFor, poll: 30 * time.Second}
	for _, o := range options {
		o(c)
	}
	if c.http == nil || c.retryFor < 0 || c.poll < time.Second || c.poll > time.Minute {
		return nil, errors.New("make hitl client: it needs an HTTP client, a time for retries that is not negative, and a poll between 1s and 1m")
	}
	return c, nil
}

// call is one request of the API.
type call struct {
	method, path string
	query        url.Values
	body         []byte
	timeout      time.Duration // of one attempt
}

// retry makes a call until it succeeds, fails for good, or the time for retries is over, and decodes the answer into out.
func (c *Client) retry(ctx context.Context, cl call, out any) (http.Header, error) {
	var deadline time.Time
	if c.retryFor > 0 {
		deadline = time.Now().Add(c.retryFor)
	}
	for n := 0; ; n++ {
		header, err := c.once(ctx, cl, out)
		if err == nil {
			return header, nil
		}
		wait, again := pause(err, n)
		if !again || ctx.Err() != nil || time.Now().Add(wait).After(deadline) {
			return nil, err
		}
		if errSleep := sleep(ctx, wait); errSleep != nil {
			return nil, fmt.Errorf("%w; before that: %w", errSleep, err)
		}
	}
}

// once makes a call once.
func (c *Client) once(ctx context.Context, cl call, out any) (http.Header, error) {
	attempt, cancel := context.WithTimeout(ctx, cl.timeout)
	defer cancel()
	u := c.base.JoinPath(cl.path)
	u.RawQuery = cl.query.Encode()
	req, err := http.NewRequestWithContext(attempt, cl.method, u.String(), bytes.NewReader(cl.body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	req.Header.Set("Accept", "application/json, application/problem+json")
	req.Header.Set("User-Agent", c.agent)
	if cl.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, &lostError{fmt.Errorf("call hitl: %w", err)}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, &lostError{fmt.Errorf("read hitl's answer: %w", err)}
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, newError(resp.StatusCode, resp.Header, body, time.Now())
	}
	if err := json.Unmarshal(body, out); err != nil {
		return nil, fmt.Errorf("read hitl's answer to %s %s: %w; is the address that of hitl?", cl.method, u.Path, err)
	}
	return resp.Header, nil
}

// lostError is that of a request whose answer did not arrive: nobody knows whether it was carried out.
type lostError struct{ error }

func (e *lostError) Unwrap() error { return e.error }

// pause says whether a call that failed the n-th time, from 0 on, may be made again, and after what time: what the service asked for, or a growing one
// with jitter, so that many clients do not come back together.
func pause(err error, n int) (time.Duration, bool) {
	wait := min(firstPause<<min(n, 10), maxPause)
	wait -= rand.N(wait / 2)
	if answer, ok := errors.AsType[*Error](err); ok {
		return max(wait, answer.RetryAfter), answer.temporary()
	}
	_, lost := errors.AsType[*lostError](err)
	return wait, lost
}

// sleep waits, or returns why ctx ended.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
