package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// temporaryError is worth another attempt.
type temporaryError struct{ error }

func (e temporaryError) Unwrap() error { return e.error }

func again(err error) error { return temporaryError{err} }

// retry calls f until it succeeds, fails for good, or has failed often enough.
func (c Client) retry(ctx context.Context, what string, f func() error) error {
	pause := c.Pause
	for n := 1; ; n++ {
		err := f()
		var temporary temporaryError
		if err == nil || !errors.As(err, &temporary) || n == c.Attempts || ctx.Err() != nil {
			return err
		}
		c.Logger.WarnContext(ctx, "download is tried again", "what", what, "attempt", n, "error", err)
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
		pause *= 2
	}
}

// get asks for what is at an address, from a byte offset on. The body is the caller's to close.
func (c Client) get(ctx context.Context, at string, from int64) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "hitl")
	req.Header.Set("Accept-Encoding", "identity") // sizes and offsets are of the file
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	if from > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return nil, again(err)
	}
	return resp, nil
}

// refusal explains an answer that is not what was asked for.
func refusal(resp *http.Response, what string) error {
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return fmt.Errorf("the server refuses %s (%s): it does not exist, or it needs a token that may read it", what, resp.Status)
	case code == http.StatusNotFound:
		reason := map[string]string{
			"RepoNotFound": "there is no such model", "RevisionNotFound": "the model has no such revision", "EntryNotFound": "the model has no such file",
		}[resp.Header.Get("X-Error-Code")]
		if reason == "" {
			reason = "not found"
		}
		return fmt.Errorf("the server does not have %s: %s", what, reason)
	case code == http.StatusTooManyRequests || code >= http.StatusInternalServerError:
		return again(fmt.Errorf("the server answers %s for %s", resp.Status, what))
	default:
		return fmt.Errorf("the server answers %s for %s", resp.Status, what)
	}
}
