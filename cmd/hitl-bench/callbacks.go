package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"hitl"
	"hitl/audit"
	"hitl/ingest"
)

// sink takes callbacks and counts them.
type sink struct {
	url   string
	taken atomic.Int64
}

// startSink starts a sink that hands the bodies to read. It ends with the row.
func (b *bench) startSink(ctx context.Context, read func(io.Reader) error) (*sink, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for callbacks: %w", err)
	}
	s := &sink{url: "http://" + l.Addr().String() + "/callbacks"}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := read(r.Body); err != nil {
			w.WriteHeader(http.StatusBadRequest) // unless the caller went away
			return
		}
		s.taken.Add(1)
		w.WriteHeader(http.StatusNoContent)
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	b.onRowEnd(func(context.Context) error {
		err := server.Close()
		if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
			err = errors.Join(err, ended)
		}
		return err
	})
	return s, nil
}

// callbackWorkers send at once: a service's default.
const callbackWorkers = 32

// openCallbacks holds the delivery of callbacks that wait, with what makes it at-least-once (leases, attempts and outcomes in Postgres, signatures),
// against sending the same bodies and remembering nothing.
func openCallbacks(ctx context.Context, b *bench) (*pair, error) {
	s, err := b.startSink(ctx, func(body io.Reader) error {
		_, err := io.Copy(io.Discard, body)
		return err
	})
	if err != nil {
		return nil, err
	}
	store, err := b.openStore(ctx)
	if err != nil {
		return nil, err
	}
	sender, err := ingest.NewSender(ingest.SenderConfig{
		Targets:   map[string]ingest.Target{"bench": {URL: s.url, Secrets: []ingest.Secret{callbackSecret}}},
		AllowHTTP: true, AllowPrivate: true, Logger: slog.New(slog.DiscardHandler), Version: "bench",
	})
	if err != nil {
		return nil, err
	}
	b.onRowEnd(func(context.Context) error { sender.Close(); return nil })
	n := b.size(5000, 300)
	bare := &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: callbackWorkers}}
	b.onRowEnd(func(context.Context) error { bare.CloseIdleConnections(); return nil })
	bodies, err := callbackBodies(n)
	if err != nil {
		return nil, err
	}
	return &pair{
		unit: "callbacks/s",
		ours: func(ctx context.Context) (float64, error) { return deliver(ctx, store, sender, s, bodies) },
		peer: perSecond(n, func(ctx context.Context) error {
			return spread(callbackWorkers, n, func(i int) error { return plainPost(ctx, bare, s.url, bodies[i].Body) })
		}),
		note: func() string {
			return fmt.Sprintf("%d callbacks that wait when a service begins, %d at once", n, callbackWorkers)
		},
	}, nil
}

// callbackBodies are those of so many accepted items.
func callbackBodies(n int) ([]hitl.Callback, error) {
	all := make([]hitl.Callback, n)
	for i := range all {
		rec := newRecord(false)
		body, err := json.Marshal(map[string]any{
			"type": "item.decided", "timestamp": rec.Item.ReceivedAt, "data": map[string]any{
				"id": rec.Item.ID, "source": "bench", "external_id": rec.Item.ExternalID, "status": hitl.AIAccepted, "label": "NEGATIVE", "confidence": 0.9,
			},
		})
		if err != nil {
			return nil, err
		}
		all[i] = hitl.Callback{Body: body}
	}
	return all, nil
}

// deliver writes items with their callbacks, and returns how many callbacks a second arrive once effects run.
func deliver(ctx context.Context, store *audit.Store, sender *ingest.Sender, s *sink, bodies []hitl.Callback) (float64, error) {
	err := spread(clientCount, len(bodies), func(i int) error {
		rec := newRecord(false)
		_, _, err := store.Append(ctx, rec, &hitl.Callback{
			ID: hitl.NewID("msg", rec.Item.ReceivedAt), Source: "bench", ItemID: rec.Item.ID, Body: bodies[i].Body,
		})
		return err
	})
	if err != nil {
		return 0, err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	want := s.taken.Load() + int64(len(bodies))
	begin := time.Now()
	go func() { ended <- store.RunEffects(running, audit.Handlers{Callback: sender.Send}) }()
	err = until(ctx, func() (bool, error) { return s.taken.Load() >= want, nil })
	took := time.Since(begin)
	stop()
	err = errors.Join(err, <-ended)
	if got := s.taken.Load(); err == nil && got != want {
		return 0, fmt.Errorf("%d callbacks arrived twice", got-want)
	}
	return float64(len(bodies)) / took.Seconds(), err
}

func plainPost(ctx context.Context, client *http.Client, url string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, res.Body) // it is empty
	return res.Body.Close()
}
