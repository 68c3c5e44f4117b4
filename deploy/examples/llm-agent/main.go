// Command llm-agent asks people before it acts: it submits what an agent wants to do, waits, and goes on only if a person approves. No answer in time,
// no connection and every other answer are a no.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"hitl/ingest/client"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "llm-agent:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("llm-agent", flag.ContinueOnError)
	id := flags.String("id", "", "name of this very action; an agent that starts again with it asks nobody a second time")
	timeout := flags.Duration("timeout", 4*time.Hour, "how long to wait for an answer")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	}
	action := strings.Join(flags.Args(), " ")
	if action == "" {
		return errors.New(`say what to do: llm-agent --id refund-4711 "Refund 120 EUR of order 4711"`)
	}
	c, err := client.New(os.Getenv("HITL_URL"), os.Getenv("HITL_KEY"), client.WithUserAgent("llm-agent"))
	if err != nil {
		return fmt.Errorf("HITL_URL, HITL_KEY: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	by, err := approve(ctx, c, client.Submission{ID: *id, Text: action, Metadata: map[string]any{"tool": "refund"}}, stdout)
	if err != nil {
		return fmt.Errorf("%q is not done: %w", action, err)
	}
	_, err = fmt.Fprintf(stdout, "approved by %s; doing it: %s\n", by, action)
	return err
}

// approve returns who approved of an action. An error is a no.
func approve(ctx context.Context, c *client.Client, s client.Submission, stdout io.Writer) (by string, err error) {
	it, err := c.Submit(ctx, s)
	if err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(stdout, "asked as %s\n", it.ID); err != nil {
		return "", err
	}
	if it, err = c.Wait(ctx, it.ID); err != nil {
		return "", err
	}
	if !it.Answered("APPROVE") || it.Decision == nil { // a person's APPROVE: not a model's, not the end of the time
		return "", fmt.Errorf("the answer is %s %s", it.Status, it.Label)
	}
	return it.Decision.Reviewer, nil
}
