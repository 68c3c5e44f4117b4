package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"hitl/ingest/client"
)

// service answers as hitl does: a person is asked, and answers while the client waits.
func service() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusAccepted)
			fmt.Fprint(w, `{"id": "itm_1", "external_id": "ticket-4711", "status": "HUMAN_REVIEW"}`)
			return
		}
		fmt.Fprint(w, `{"id": "itm_1", "external_id": "ticket-4711", "status": "HUMAN_CORRECTED", "label": "NEGATIVE", "decision": {"reviewer": "T0HELP/U0ALICE"}}`)
	}))
}

func Example() {
	hitl := service()
	defer hitl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Hour) // how long a person may take
	defer cancel()

	c, err := client.New(hitl.URL, "the-key-of-the-source")
	if err != nil {
		panic(err)
	}
	it, err := c.Submit(ctx, client.Submission{ID: "ticket-4711", Text: "The parcel came broken and nobody answers."})
	if err == nil && !it.Final() {
		it, err = c.Wait(ctx, it.ID)
	}
	switch {
	case errors.Is(err, client.ErrConflict):
		fmt.Println("that id was used for another text")
	case err != nil:
		fmt.Println(err)
	default:
		fmt.Println(it.Status, it.Label, it.Decision.Reviewer)
	}
	// Output: HUMAN_CORRECTED NEGATIVE T0HELP/U0ALICE
}

func ExampleVerifier_VerifyCallback() {
	const secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
	verifier, err := client.NewVerifier(secret)
	if err != nil {
		panic(err)
	}
	receive := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		c, err := verifier.VerifyCallback(r.Header, body)
		if err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Println(c.Type, c.Data.ExternalID, c.Data.Label)
		w.WriteHeader(http.StatusNoContent)
	}

	// What hitl sends.
	body := `{"type": "item.decided", "data": {"external_id": "ticket-4711", "label": "NEGATIVE"}}`
	now := time.Now()
	hook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		panic(err)
	}
	signature, err := hook.Sign("msg_1", now, []byte(body))
	if err != nil {
		panic(err)
	}
	for _, s := range []string{signature, "v1,forged"} {
		r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/hitl", strings.NewReader(body))
		r.Header = http.Header{"Webhook-Id": {"msg_1"}, "Webhook-Timestamp": {strconv.FormatInt(now.Unix(), 10)}, "Webhook-Signature": {s}}
		w := httptest.NewRecorder()
		receive(w, r)
		fmt.Println(w.Code)
	}
	// Output:
	// item.decided ticket-4711 NEGATIVE
	// 204
	// 401
}
