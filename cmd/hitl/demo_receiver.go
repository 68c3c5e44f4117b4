package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"hitl"
)

// receiver is the demo's upstream: it takes the callbacks, checks their signatures, and tells what it was told.
type receiver struct {
	server *http.Server
	url    string
	secret string
	logger *slog.Logger
	tell   func(hitl.CallbackItem)
}

func listenReceiver(ctx context.Context, secret string, logger *slog.Logger, tell func(hitl.CallbackItem)) (*receiver, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for callbacks: %w", err)
	}
	r := &receiver{url: "http://" + l.Addr().String() + "/callbacks", secret: secret, logger: logger, tell: tell}
	r.server = &http.Server{Handler: http.HandlerFunc(r.receive), ReadTimeout: 10 * time.Second}
	go func() { _ = r.server.Serve(l) }() // ends with Close
	return r, nil
}

func (r *receiver) receive(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, 1<<20))
	if err != nil {
		http.Error(w, "cannot read body", http.StatusBadRequest)
		return
	}
	hook, err := standardwebhooks.NewWebhook(r.secret)
	if err == nil {
		err = hook.Verify(body, req.Header)
	}
	if err != nil {
		r.logger.WarnContext(req.Context(), "callback refused by the demo's upstream", "error", err)
		http.Error(w, "bad signature", http.StatusUnauthorized)
		return
	}
	var event struct{ Data hitl.CallbackItem }
	if err := json.Unmarshal(body, &event); err != nil {
		http.Error(w, "bad JSON", http.StatusBadRequest)
		return
	}
	r.tell(event.Data)
	w.WriteHeader(http.StatusNoContent)
}

func (r *receiver) close() error { return r.server.Close() }
