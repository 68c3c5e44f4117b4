package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"hitl"
	"hitl/bot/slacksim"
)

const poisonText = "Where is my refund?"

// The model kills the process on one text, for good: no recover helps. Upstream sends it again and again, to one replica after the other.
func TestPoisonGoesToAPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.stop()
	w.settings.Model = killerModel(t, "refund")
	w.writeConfig()
	text, err := os.ReadFile(w.configFile())
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("sentiment: {model:"), []byte(`sentiment: {onnxruntime: "off", max_attempts: 3, model:`), 1)
	if err := os.WriteFile(w.configFile(), text, 0o600); err != nil {
		t.Fatal(err)
	}

	for death := range 3 {
		child := w.startChild()
		it := w.post(fmt.Sprint("beside-", death), sureText, http.StatusOK)
		if it.Status != hitl.AIAccepted {
			t.Errorf("beside the poison: %+v", it)
		}
		if status, err := w.send("poison", poisonText); err == nil {
			t.Fatalf("death %d: status %d, want a dead service", death, status)
		}
		if err := child.wait(); err == nil || !strings.Contains(child.log.String(), "integer divide by zero") {
			t.Fatalf("death %d: the service ended with %v: %s", death, err, child.log)
		}
		w.passTime()
		if n := query[int](w, `SELECT count(*) FROM hitl.items WHERE external_id = 'poison'`); n != 0 {
			t.Fatalf("death %d: %d records of it", death, n)
		}
	}

	child := w.startChild()
	it := w.post("poison", poisonText, http.StatusAccepted)
	if it.Status != hitl.HumanReview || !slices.Contains(it.Triggers, hitl.TriggerModelError) {
		t.Errorf("got %+v", it)
	}
	w.shows(it, poisonText)
	if it := w.post("beside-3", sureText, http.StatusOK); it.Status != hitl.AIAccepted {
		t.Errorf("afterwards: %+v", it)
	}
	metrics := w.request(http.MethodGet, w.metrics+"/metrics", nil, nil)
	if want := `hitl_classifier_given_up_total{classifier="sentiment"} 1`; !strings.Contains(string(metrics.body), want) {
		t.Errorf("metrics lack %s", want)
	}
	if err := child.interrupt(); err != nil {
		t.Errorf("the service ended with %v: %s", err, child.log)
	}
	if log := child.log.String(); strings.Contains(log, poisonText) || !strings.Contains(log, "killed too many processes") {
		t.Errorf("log: %s", log)
	}
	// Its deaths are remembered, and no attempt of anybody else.
	if n := query[int](w, `SELECT coalesce(sum(cardinality(keys)), 0) FROM hitl.attempts`); n != 3 {
		t.Errorf("%d attempts are left, want 3", n)
	}
}

// passTime makes the dead look dead: nobody has heard of them for a while.
func (w *world) passTime() {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), w.owner)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = conn.Close(w.t.Context()) }()
	if _, err := conn.Exec(w.t.Context(), `UPDATE hitl.attempts SET seen_at = seen_at - interval '1 minute'`); err != nil {
		w.t.Fatal(err)
	}
}

// send posts a text to a service that may die of it.
func (w *world) send(id, text string) (status int, err error) {
	body, err := json.Marshal(map[string]any{"id": id, "text": text, "metadata": map[string]any{"order": id}})
	if err != nil {
		w.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url+"/v1/items", bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+storyKey)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// child is `hitl serve` in a process of its own.
type child struct {
	cmd  *exec.Cmd
	log  *syncBuffer
	wait func() error // for its end; idempotent
}

// startChild starts the service on this world and waits until it is ready. The test's end kills it.
func (w *world) startChild() *child {
	w.t.Helper()
	c := &child{cmd: exec.CommandContext(w.t.Context(), "hitl", "--config", w.configFile(), "serve"), log: &syncBuffer{}}
	c.cmd.Env = append(os.Environ(), mortal+"=1")
	r, err := c.cmd.StderrPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	addresses := make(chan [2]string, 1)
	read := make(chan struct{})
	go func() {
		defer close(read)
		lines := bufio.NewScanner(io.TeeReader(r, c.log))
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var line struct{ Msg, Address, Metrics string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
				addresses <- [2]string{line.Address, line.Metrics}
			}
		}
		close(addresses)
	}()
	c.wait = sync.OnceValue(func() error {
		<-read
		return c.cmd.Wait()
	})
	w.t.Cleanup(func() {
		if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			w.t.Error(err)
		}
		_ = c.wait() // killed, if it was not gone
	})
	a, ok := <-addresses
	if !ok {
		w.t.Fatalf("the service does not start: %s", c.log)
	}
	w.url, w.metrics = "http://"+a[0], "http://"+a[1]
	w.sim.SetEndpoints(slacksim.Endpoints{
		Interactivity: w.url + "/slack/interactivity", Options: w.url + "/slack/options",
		Commands: w.url + "/slack/commands", Events: w.url + "/slack/events",
	})
	w.eventually("the service to be ready", func() bool { return w.request(http.MethodGet, "/readyz", nil, nil).status == http.StatusOK })
	return c
}

// interrupt stops the service as an operator does.
func (c *child) interrupt() error {
	if err := c.cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	return c.wait()
}
