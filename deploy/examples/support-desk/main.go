// Command support-desk receives hitl's callbacks and says what a support desk would do with each ticket.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"time"

	"hitl/ingest/client"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "support-desk:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("support-desk", flag.ContinueOnError)
	address := flags.String("listen", "127.0.0.1:8090", "where callbacks arrive")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	}
	v, err := client.NewVerifier(os.Getenv("DESK_CALLBACK_SECRET"), os.Getenv("DESK_OLD_CALLBACK_SECRET"))
	if err != nil {
		return fmt.Errorf("DESK_CALLBACK_SECRET, DESK_OLD_CALLBACK_SECRET: %w", err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", *address)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	fmt.Fprintf(stdout, "listening on http://%s\n", l.Addr())
	server := &http.Server{Handler: &desk{verifier: v, stdout: stdout, latest: map[string]client.Callback{}}, ReadTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// desk keeps, of each ticket, the latest callback. A real one keeps it in its database, before it answers.
type desk struct {
	verifier *client.Verifier
	stdout   io.Writer

	mu     sync.Mutex
	latest map[string]client.Callback // by ticket
}

func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		http.Error(w, "the body is too large or broken", http.StatusBadRequest)
		return
	}
	c, err := d.verifier.VerifyCallback(r.Header, body)
	if errors.Is(err, client.ErrSignature) {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	} else if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if last, known := d.latest[c.Data.ExternalID]; !known || newer(c, last) {
		d.latest[c.Data.ExternalID] = c
		fmt.Fprintln(d.stdout, act(c))
	}
	w.WriteHeader(http.StatusNoContent)
}

// newer says whether a callback tells more than the last one: they come again, and in any order.
func newer(c, last client.Callback) bool {
	if c.Data.Round != last.Data.Round {
		return c.Data.Round > last.Data.Round
	}
	return c.Timestamp.After(last.Timestamp)
}

// act says what is done with a ticket.
func act(c client.Callback) string {
	switch {
	case c.Type == client.ItemReopened:
		return c.Data.ExternalID + ": the answer was taken back, wait"
	case c.Data.Label == "":
		return c.Data.ExternalID + ": nobody answered, leave it in the inbox"
	}
	by := c.Data.Reviewer
	if by == "" {
		by = "the model"
	}
	return fmt.Sprintf("%s: tag it %s, said %s", c.Data.ExternalID, c.Data.Label, by)
}
