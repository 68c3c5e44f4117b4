// Command github-issues receives hitl's callbacks and prints the call of gh that labels each issue. It calls nothing itself.
package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"time"

	"hitl/ingest/client"
)

func main() {
	if err := run("127.0.0.1:8091", os.Getenv("TRIAGE_CALLBACK_SECRET"), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "github-issues:", err)
		os.Exit(1)
	}
}

func run(address, secret string, stdout io.Writer) error {
	v, err := client.NewVerifier(secret)
	if err != nil {
		return fmt.Errorf("TRIAGE_CALLBACK_SECRET: %w", err)
	}
	server := &http.Server{Addr: address, Handler: receiver(v, stdout), ReadTimeout: 10 * time.Second}
	return server.ListenAndServe()
}

func receiver(v *client.Verifier, stdout io.Writer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, "the body is too large or broken", http.StatusBadRequest)
			return
		}
		c, err := v.VerifyCallback(r.Header, body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		call, err := command(c)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		if call != "" {
			fmt.Fprintln(stdout, call)
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

// A repository and a label as GitHub allows them, and nothing that a shell reads as more than a word.
var (
	repository = regexp.MustCompile(`^[\w.-]+/[\w.-]+$`)
	label      = regexp.MustCompile(`^[\w.-]+$`)
)

// command is the call that does what a callback says: it may be made twice, since labelling twice is labelling once.
func command(c client.Callback) (string, error) {
	if c.Data.Label == "" {
		return "", nil // nobody answered, or the answer was taken back
	}
	repo, _ := c.Data.Metadata["repository"].(string)
	number, ok := c.Data.Metadata["number"].(float64)
	if !ok || number < 1 || !repository.MatchString(repo) || !label.MatchString(c.Data.Label) {
		return "", errors.New("the callback names no repository, issue and label")
	}
	return fmt.Sprintf("gh api --method POST repos/%s/issues/%.0f/labels -f 'labels[]=%s'", repo, number, c.Data.Label), nil
}
