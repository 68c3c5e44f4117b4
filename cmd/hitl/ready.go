package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

type readyCmd struct {
	URL     string        `arg:"" optional:"" default:"http://127.0.0.1:8080" help:"Where the service is (default ${default})."`
	Wait    time.Duration `default:"0" placeholder:"TIME" help:"Ask again until it is ready, for at most this long: 30s, 2m."`
	Timeout time.Duration `default:"5s" placeholder:"TIME" help:"How long one answer may take (default ${default})."`
}

// askAgainEvery is the time between two questions of hitl ready --wait.
const askAgainEvery = 250 * time.Millisecond

// Help is shown by hitl ready --help.
func (readyCmd) Help() string {
	return `Asks GET /readyz and says what it answers: exit code 0 when the service is ready, 1 when it is not or cannot be reached.

It reads no configuration and needs nothing else, so that an image without a shell can check its own health with it. To restart a service that hangs
ask /healthz instead: /readyz also fails while Postgres is away, and a restart does not bring Postgres back.`
}

func (c *readyCmd) Run(ctx context.Context, p program) error {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
		return usageError{errors.New("say where the service is, like http://127.0.0.1:8080")} // what was given may hold a password
	}
	if c.Wait < 0 || c.Timeout <= 0 {
		return usageError{errors.New("--wait and --timeout are durations like 30s; --timeout is more than 0")}
	}
	client := &http.Client{Timeout: c.Timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	address, until := u.JoinPath("readyz").String(), time.Now().Add(c.Wait)
	for {
		if err = askReady(ctx, client, address); err == nil {
			_, err = fmt.Fprintln(p.stdout, "ready")
			return err
		}
		if time.Until(until) < askAgainEvery {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(askAgainEvery):
		}
	}
}

// askReady is nil when the service says that it is ready, and else says what it says is not.
func askReady(ctx context.Context, client *http.Client, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("not ready: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	var problem struct {
		Detail string `json:"detail"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&problem); err != nil || problem.Detail == "" {
		return fmt.Errorf("not ready: %s answers %s", req.URL.Redacted(), resp.Status)
	}
	return fmt.Errorf("not ready: %s (what is wrong with it is in the service's log)", printable(problem.Detail))
}
