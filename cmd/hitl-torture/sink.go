package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
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

// sink is the upstream's side: it takes callbacks and keeps what it got.
type sink struct {
	server *http.Server
	url    string
	hook   *standardwebhooks.Webhook
	hist   *history
	served chan struct{}

	mu       sync.Mutex
	mode     sinkMode
	arrived  map[string]map[string]int // item id: callback (its id and the hash of its body): times
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
	s := &sink{hook: hook, hist: hist, url: "http://" + l.Addr().String() + "/callbacks", served: make(chan struct{}), arrived: map[string]map[string]int{}}
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
	var event struct {
		Data hitl.CallbackItem `json:"data"`
	}
	if err := json.Unmarshal(body, &event); err != nil || event.Data.ID == "" {
		return errors.Join(errors.New("callback cannot be read"), err)
	}
	d := event.Data
	sum := sha256.Sum256(body)
	s.hist.told(d.Source, d.ExternalID, callbackState(d))
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.arrived[d.ID]
	if of == nil {
		of = map[string]int{}
		s.arrived[d.ID] = of
	}
	of[h.Get("webhook-id")+" "+hex.EncodeToString(sum[:])]++
	return nil
}

func callbackState(d hitl.CallbackItem) state {
	if d.Status == hitl.AIAccepted {
		return sure(d.Label)
	}
	return decided(d.Label, d.Reviewer)
}

// of returns how many different callbacks arrived for an item.
func (s *sink) of(itemID string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.arrived[itemID])
}
