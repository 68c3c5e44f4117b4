package main

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"hitl"
)

//go:embed peer/tasks.py
var peerTasks string

// openAwaitHumans holds the whole way of a question against awaithumans, a service for asking people: the question is stored, a person's answer is
// stored, the outcome is read, each step by as many clients at once, each over HTTP, all on the same Postgres.
//
// Ours classifies the text, posts a card to the simulated Slack and takes the answer as a signed click on it; the peer's person answers by its API,
// and it notifies nobody. The wait for the cards is not counted, and with it much of what posting them
// costs: Slack takes one a second in each channel. The peer's pools of connections are larger than it ships them: with so many clients it ran out of them.
func openAwaitHumans(ctx context.Context, b *bench) (*pair, error) {
	python, err := b.python()
	if err != nil {
		return nil, err
	}
	peer, err := b.serveAwaitHumans(ctx, python)
	if err != nil {
		return nil, err
	}
	items, fewer := b.size(1280, 64), b.size(256, 32) // so that both take seconds
	svc, err := b.serve(ctx, settings{Review: true, Queues: boards, OpenLimit: items/boards + 1})
	if err != nil {
		return nil, err
	}
	ours, theirs := &askedInSlack{b.newClients(svc.url, boards), &cards{sim: svc.slack.sim}}, &askedByTask{b.newClients(peer, 1)}
	return &pair{
		unit: "questions/s",
		ours: func(ctx context.Context) (float64, error) { return ours.run(ctx, items) },
		peer: func(ctx context.Context) (float64, error) { return theirs.run(ctx, fewer) },
		note: func() string {
			return fmt.Sprintf("%d clients; ours: POST an item, which is classified and shown as a card, a signed click on the card, GET the item, with the simulated Slack on the same cores; "+
				"the peer: POST a task, POST its completion, GET the task, nobody notified, %d uvicorn workers, same Postgres; 80 connections each; the wait for cards is not counted", clientCount, runtime.NumCPU())
		},
	}, nil
}

// askedInSlack asks people by hitl.
type askedInSlack struct {
	*clients
	shown *cards
}

func (a *askedInSlack) run(ctx context.Context, n int) (float64, error) {
	ids := make([]string, n)
	posting, err := timed(n, func(i int) error {
		var item struct {
			ID string `json:"id"`
		}
		err := a.call(ctx, http.MethodPost, "/v1/items", a.item(), &item)
		ids[i] = item.ID
		return err
	})
	if err != nil {
		return 0, err
	}
	open, err := a.shown.take(ctx, n)
	if err != nil {
		return 0, err
	}
	answering, err := timed(n, func(i int) error {
		_, err := press(ctx, a.shown.sim, open[i], "hitl_accept")
		return err
	})
	if err != nil {
		return 0, err
	}
	reading, err := timed(n, func(i int) error {
		var item struct {
			Status hitl.Status `json:"status"`
		}
		err := a.call(ctx, http.MethodGet, "/v1/items/"+ids[i], nil, &item)
		if err == nil && item.Status != hitl.HumanAccepted {
			err = fmt.Errorf("an item is %s after its answer", item.Status)
		}
		return err
	})
	return float64(n) / (posting + answering + reading).Seconds(), err
}

// askedByTask asks people by awaithumans.
type askedByTask struct{ *clients }

func (a *askedByTask) run(ctx context.Context, n int) (float64, error) {
	tasks := make([]string, n)
	posting, err := timed(n, func(i int) (err error) { tasks[i], err = a.ask(ctx); return err })
	if err != nil {
		return 0, err
	}
	answering, err := timed(n, func(i int) error {
		return a.call(ctx, http.MethodPost, "/api/tasks/"+tasks[i]+"/complete", map[string]any{
			"response": map[string]any{"label": "POSITIVE"}, "completed_by_email": "ana@bench.test", "completed_via_channel": "api",
		}, nil)
	})
	if err != nil {
		return 0, err
	}
	reading, err := timed(n, func(i int) error {
		var task struct {
			Status   string            `json:"status"`
			Response map[string]string `json:"response"`
		}
		err := a.call(ctx, http.MethodGet, "/api/tasks/"+tasks[i], nil, &task)
		if err == nil && (task.Status != "completed" || task.Response["label"] != "POSITIVE") {
			err = fmt.Errorf("a task is %s with %v after its answer", task.Status, task.Response)
		}
		return err
	})
	return float64(n) / (posting + answering + reading).Seconds(), err
}

// ask stores a task and returns its id.
func (a *askedByTask) ask(ctx context.Context) (string, error) {
	n, text := a.next()
	kind := map[string]any{"type": "string"}
	label := map[string]any{"type": "string", "enum": []string{"NEGATIVE", "POSITIVE"}}
	var task struct {
		ID string `json:"id"`
	}
	err := a.call(ctx, http.MethodPost, "/api/tasks", map[string]any{
		"task": "Is this text positive or negative?", "idempotency_key": fmt.Sprint("order-", n), "timeout_seconds": 86_400,
		"payload": map[string]any{"text": text}, "payload_schema": map[string]any{"type": "object", "properties": map[string]any{"text": kind}},
		"response_schema": map[string]any{"type": "object", "properties": map[string]any{"label": label}},
		"task_metadata":   map[string]string{"order": fmt.Sprint(n), "channel": "mail"},
	}, &task)
	return task.ID, err
}

// timed is how long clientCount clients take for n things.
func timed(n int, do func(i int) error) (time.Duration, error) {
	begin := time.Now()
	err := spread(clientCount, n, do)
	return time.Since(begin), err
}

// serveAwaitHumans starts the peer on a database of its own, and returns its URL.
func (b *bench) serveAwaitHumans(ctx context.Context, python string) (string, error) {
	if exec.CommandContext(ctx, python, "-c", "import awaithumans.server.app").Run() != nil {
		return "", missing("awaithumans is missing: " + fetchHint)
	}
	dir := filepath.Join(b.dir, b.name("awaithumans"))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "tasks.py"), []byte(peerTasks), 0o600); err != nil {
		return "", err
	}
	dsn, err := b.database(ctx, "awaithumans")
	if err != nil {
		return "", err
	}
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	env := append(os.Environ(), "AWAITHUMANS_DATABASE_URL="+dsn, "AWAITHUMANS_ADMIN_API_TOKEN="+sourceKey,
		"AWAITHUMANS_PAYLOAD_KEY="+base64.RawURLEncoding.EncodeToString(key[:]), "AWAITHUMANS_LOG_LEVEL=WARNING", "PYTHONPATH="+dir)
	tables := exec.CommandContext(ctx, python, filepath.Join(dir, "tasks.py"))
	tables.Env = env
	if out, err := tables.CombinedOutput(); err != nil {
		return "", fmt.Errorf("make the tables of awaithumans: %w\n%s", err, out)
	}
	if err := b.askVersions(ctx, python, map[string]string{"awaithumans": "awaithumans", "uvicorn": "uvicorn", "SQLAlchemy": "SQLAlchemy"}); err != nil {
		return "", err
	}
	return b.uvicorn(ctx, python, env, "/api/health", "tasks:app")
}
