package main

import (
	"os"
	"strings"
	"testing"
)

// The servers of tests run without fsync: serve says that acknowledged items may be lost, and without permission refuses.
func TestServeRefusesAPostgresThatLosesCommits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	if logs := w.logs.String(); !strings.Contains(logs, "level=WARN") || !strings.Contains(logs, "fsync is off") {
		t.Errorf("the service started without a warning: %s", logs)
	}
	w.stop()
	file, err := os.ReadFile(w.configFile())
	if err != nil {
		t.Fatal(err)
	}
	strict := strings.Replace(string(file), "accept_data_loss: true", "accept_data_loss: false", 1)
	if err := os.WriteFile(w.configFile(), []byte(strict), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = w.hitl("serve")
	if err == nil {
		t.Fatal("serve ended without an error")
	}
	for _, want := range []string{"fsync is off", "full_page_writes is off", "postgres.accept_data_loss"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	if out := w.mustHitl("stats"); out == "" {
		t.Error("commands that acknowledge nothing do not run either")
	}
}
