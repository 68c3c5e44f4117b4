package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// startServer serves a handler on a free port until the row ends, and returns its URL.
func (b *bench) startServer(ctx context.Context, h http.Handler) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	b.onRowEnd(func(context.Context) error {
		err := server.Close()
		if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
			err = errors.Join(err, ended)
		}
		return err
	})
	return "http://" + l.Addr().String(), nil
}

// startBalancer hands each request to the next of some servers, as a load balancer in front of a service's processes does.
func (b *bench) startBalancer(ctx context.Context, urls []string) (string, error) {
	targets := make([]*url.URL, len(urls))
	for i, u := range urls {
		var err error
		if targets[i], err = url.Parse(u); err != nil {
			return "", err
		}
	}
	var next atomic.Uint64
	transport := &http.Transport{MaxIdleConnsPerHost: clientCount}
	b.onRowEnd(func(context.Context) error { transport.CloseIdleConnections(); return nil })
	return b.startServer(ctx, &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(targets[next.Add(1)%uint64(len(targets))])
	}})
}

// ledger takes callbacks and remembers of which items they were.
type ledger struct {
	url string

	mu   sync.Mutex
	seen map[string]int // by item
	all  int
}

func (b *bench) startLedger(ctx context.Context) (*ledger, error) {
	l := &ledger{seen: map[string]int{}}
	base, err := b.startServer(ctx, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Data struct {
				ID string `json:"id"`
			} `json:"data"`
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body.Data.ID == "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		l.mu.Lock()
		l.seen[body.Data.ID]++
		l.all++
		l.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	}))
	l.url = base + "/callbacks"
	return l, err
}

// items are how many were called back.
func (l *ledger) items() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.seen)
}

// calls are how many callbacks came.
func (l *ledger) calls() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all
}

// read gets a page.
func read(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+sourceKey)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("read %s: %s: %s", url, res.Status, text)
	}
	return string(text), err
}

// sumOf sums up the samples of a metric in Prometheus' text, those that have a label, as NAME="VALUE"; no label: all.
func sumOf(text, metric, label string) float64 {
	sum := 0.0
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if labels, has := strings.CutPrefix(name, metric); !ok || !has || labels != "" && labels[0] != '{' || !strings.Contains(labels, label) {
			continue
		}
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			sum += v
		}
	}
	return sum
}
