package ingest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"hitl"
	"hitl/ingest"
)

const secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"

// receive is what an upstream does with a callback: verify it, drop what it has seen, act on it.
func receive(seen map[string]bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		webhook, err := standardwebhooks.NewWebhook(secret)
		if err != nil || webhook.Verify(body, r.Header) != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if id := r.Header.Get("webhook-id"); seen[id] {
			return // it was sent again: our answer got lost
		} else {
			seen[id] = true
		}
		var event struct {
			Type string
			Data hitl.CallbackItem
		}
		if err := json.Unmarshal(body, &event); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		fmt.Println(event.Type, event.Data.ExternalID, event.Data.Label)
	}
}

// Verify a callback where it is received.
func ExampleSender() {
	upstream := httptest.NewServer(receive(map[string]bool{}))
	defer upstream.Close()

	sender, err := ingest.NewSender(ingest.SenderConfig{
		Targets: map[string]ingest.Target{"helpdesk": {URL: upstream.URL, Secrets: []ingest.Secret{secret}}},
		// Only because this example's upstream is on loopback and has no certificate.
		AllowHTTP: true, AllowPrivate: true,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sender.Close()
	callback := hitl.Callback{
		ID: "msg_1", Source: "helpdesk", ItemID: "itm_1",
		Body: []byte(`{"type":"item.decided","data":{"external_id":"ticket-4711","label":"POSITIVE"}}`),
	}
	for range 2 { // the second time the receiver knows it
		if err := sender.Send(context.Background(), callback); err != nil {
			fmt.Println(err)
		}
	}
	// Output: item.decided ticket-4711 POSITIVE
}

// Check a hook's expressions before they are used.
func ExampleCheckHook() {
	err := ingest.CheckHook(ingest.Hook{
		ID:   "body.ticket.id",
		Text: "bdy.ticket.text",
	})
	fmt.Println(err)
	// Output:
	// text: ERROR: <input>:1:1: undeclared reference to 'bdy' (did you mean 'body'?)
	//  | bdy.ticket.text
	//  | ^
}
