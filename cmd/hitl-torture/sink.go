package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"hitl"
)

// sinkMode is how the upstream that takes callbacks behaves.
type sinkMode int

const (
	sinkTakes     sinkMode = iota
	sinkRefuses            // 503, and takes nothing
	sinkHangs              // says nothing for longer than anybody waits
	sinkFailsLate          // takes the call and answers 500
)

// event is a callback: its id, the hash of its body, and how it says that the item stood.
type event struct {
	id   string
	body [sha256.Size]byte
	says state
}

// sink is the upstream's side: it takes callbacks and keeps what it got.
type sink struct {
	server *http.Server
	url    string
	hook   *standardwebhooks.Webhook
	hist   *history
	served chan struct{}

	mu       sync.Mutex
	mode     sinkMode
	arrived  map[string][]event // by item id: each once, in the order in which they first came
	problems []string
}

func startSink(ctx context.Context, secret string, hist *history) (*sink, error) {
	hook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		return nil, fmt.Errorf("read callback secret: %w", err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for callbacks: %w", err)
	}
	s := &sink{hook: hook, hist: hist, url: "http://" + l.Addr().String() + "/callbacks", served: make(chan struct{}), arrived: map[string][]event{}}
	s.server = &http.Server{Handler: http.HandlerFunc(s.receive), ReadTimeout: 10 * time.Second}
	go func() { defer close(s.served); _ = s.server.Serve(l) }() // ends with close
	return s, nil
}

func (s *sink) close() {
	_ = s.server.Close()
	<-s.served
}

func (s *sink) set(m sinkMode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mode = m
}

func (s *sink) receive(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	mode := s.mode
	s.mu.Unlock()
	switch mode {
	case sinkRefuses:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case sinkHangs:
		_ = sleep(r.Context(), 5*time.Second)
		return
	case sinkTakes, sinkFailsLate:
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		return // the caller went away
	}
	if err := s.take(r.Header, body); err != nil {
		s.mu.Lock()
		s.problems = append(s.problems, err.Error())
		s.mu.Unlock()
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if mode == sinkFailsLate {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *sink) take(h http.Header, body []byte) error {
	if err := s.hook.Verify(body, h); err != nil {
		return fmt.Errorf("callback's signature: %w", err)
	}
	var told struct {
		Type string            `json:"type"`
		Data hitl.CallbackItem `json:"data"`
	}
	if err := json.Unmarshal(body, &told); err != nil || told.Data.ID == "" {
		return errors.Join(errors.New("callback cannot be read"), err)
	}
	d := told.Data
	says, err := callbackState(told.Type, d)
	if err != nil {
		return err
	}
	e := event{h.Get("webhook-id"), sha256.Sum256(body), says}
	s.mu.Lock()
	known := slices.Contains(s.arrived[d.ID], e)
	if !known {
		s.arrived[d.ID] = append(s.arrived[d.ID], e)
	}
	s.mu.Unlock()
	if !known {
		s.hist.told(d.Source, d.ExternalID, says)
	}
	return nil
}

func callbackState(event string, d hitl.CallbackItem) (state, error) {
	switch {
	case event == "item.reopened":
		return pending(d.Round + 1), nil
	case event != "item.decided":
		return absent, fmt.Errorf("callback of item %s is of type %q", d.ExternalID, event)
	case d.Status == hitl.AIAccepted:
		return sure(d.Label), nil
	}
	return decided(d.Round, d.Label, d.Reviewer), nil
}

// of returns the different callbacks that arrived for an item, in the order in which they first came.
func (s *sink) of(itemID string) []event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.arrived[itemID])
}

// knows says whether a callback has told that an item stands so.
func (s *sink) knows(itemID string, as state) bool {
	return slices.ContainsFunc(s.of(itemID), func(e event) bool { return e.says == as })
}
