package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hitl"
	"hitl/bot/slacksim"
)

// buildPrevious builds the last version that did not know the newest migration, from the repository's history, and returns the program. Where
// there is no history, as in a shallow clone, the test is skipped, and says so.
func buildPrevious(t *testing.T) (bin, commit string) {
	t.Helper()
	git := func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), "git", args...).Output()
		if err != nil {
			t.Skipf("NOT TESTED: two versions side by side: git %v: %v (it takes the repository's whole history)", args, err)
		}
		return strings.TrimSpace(string(out))
	}
	migrations, err := filepath.Glob("../../audit/migrations/*.sql")
	if err != nil || len(migrations) == 0 {
		t.Fatalf("no migrations: %v", err)
	}
	newest := slices.Max(migrations)
	if git("rev-parse", "--is-shallow-repository") == "true" {
		t.Skip("NOT TESTED: two versions side by side: this is a shallow clone, and the previous version is not in it")
	}
	commit = "HEAD"
	if added := git("log", "-1", "--diff-filter=A", "--format=%H", "--", newest); added != "" { // else it is not committed yet
		commit = git("rev-parse", "--verify", added+"^")
	}
	dir := t.TempDir()
	archive := filepath.Join(dir, "source.tar")
	git("-C", git("rev-parse", "--show-toplevel"), "archive", "-o", archive, commit)
	source := filepath.Join(dir, "source")
	if err := os.Mkdir(source, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "tar", "-xf", archive, "-C", source).CombinedOutput(); err != nil {
		t.Fatalf("unpack version %s: %v\n%s", commit, err, out)
	}
	if _, err := os.Stat(filepath.Join(source, "audit", "migrations", filepath.Base(newest))); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("version %s knows the newest migration: %v", commit, err)
	}
	bin = filepath.Join(dir, "hitl-previous")
	// What both versions depend on is built already, by the flags that this test was built with.
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", bin, "./cmd/hitl")
	build.Dir = source
	begun := time.Now()
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build version %s: %v\n%s", commit, err, out)
	}
	t.Logf("built version %s in %s", commit, time.Since(begun).Round(time.Second))
	return bin, commit
}

// previousConfig is a configuration of this world in keys that versions have had for long.
func (w *world) previousConfig(listen, auditKey string) string {
	w.t.Helper()
	service, err := withUser(w.owner, "hitl_service", "service")
	if err != nil {
		w.t.Fatal(err)
	}
	text := fmt.Sprintf(`
server: {listen: %q, metrics_listen: "127.0.0.1:0"}
log: {format: json}
postgres: {url: %q, accept_data_loss: true}
audit: {key: %q, checkpoint_every: 1s}
redis: {%s, key_prefix: %q}
slack: {bot_token: %q, signing_secret: %q, team: T0SLACKSIM, api_url: %q}
callbacks: {allow_http: true, allow_private: true, schedule: [100ms, 100ms, 100ms]}
classifiers: {sentiment: {model: starter}}
policies: {sentiment: {queue: support}}
queues: {support: {channel: C0REVIEW, reviewers: {users: [U0CHLOE], groups: [S0REVIEWERS]}, undo_for: 0s, merge_duplicates: false}}
sources:
  shop:
    classifier: sentiment
    policy: sentiment
    auth: {bearer: [%q]}
    callback: {url: %q, secret: %q}
`, listen, service, auditKey, w.settings.Redis, w.prefix, w.sim.Token(), w.sim.SigningSecret(), w.slackURL+"/api/",
		demoSecrets{Key: storyKey}.KeyHash(), w.upstream.url, storySecret)
	path := filepath.Join(w.dir, "previous.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// servePrevious runs another version's program on this world and returns its address, and what stops it in order.
func (w *world) servePrevious(bin, auditKey string) (url string, stop func()) {
	w.t.Helper()
	l, err := listen(w.t.Context(), "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close() // it is the other program's now
	logs := &syncBuffer{}
	cmd := exec.CommandContext(w.t.Context(), bin, "--config", w.previousConfig(address, auditKey), "serve")
	cmd.Stdout, cmd.Stderr = logs, logs
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	w.t.Cleanup(func() {
		if w.t.Failed() {
			w.t.Logf("the previous version's log:\n%s", logs)
		}
	})
	wait, cancel := context.WithTimeout(w.t.Context(), storyTime)
	defer cancel()
	if err := waitReady(wait, "http://"+address+"/readyz", func() error { return nil }); err != nil || wait.Err() != nil {
		w.t.Fatalf("the previous version is not ready: %v\n%s", err, logs)
	}
	return "http://" + address, func() {
		w.t.Helper()
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			w.t.Error(err)
		}
		if err := <-ended; err != nil {
			w.t.Errorf("the previous version ended with %v\n%s", err, logs)
		}
	}
}

// slackTalksTo sends what people do in Slack to one version.
func (w *world) slackTalksTo(url string) {
	w.sim.SetEndpoints(slacksim.Endpoints{
		Interactivity: url + "/slack/interactivity", Options: url + "/slack/options", Commands: url + "/slack/commands", Events: url + "/slack/events",
	})
}

// While a new version is rolled out the schema is the new one's already, and both serve: what one takes the other decides, each decision is made
// and told once, and both find the log in order. Then the old one stops.
func TestTwoVersionsSideBySide(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT TESTED: two versions side by side, which takes a build of the previous one")
	}
	t.Parallel()
	bin, commit := buildPrevious(t)
	w := newWorld(t, nil)
	auditKey := strings.Fields(w.mustHitl("log", "key", "log.example.org"))[0]
	w.appendConfig("audit: {key: \"" + auditKey + "\", checkpoint_every: 1s}\n")
	current := w.url
	previous, stop := w.servePrevious(bin, auditKey)

	const items = 8
	var all []item
	for i := range items {
		w.url = []string{current, previous}[i%2]
		all = append(all, w.post(fmt.Sprint("side-", i), unsureText, http.StatusAccepted))
	}
	late := 0                // clicks of another reviewer, on the other version, on a card that does not show the decision yet
	for i, it := range all { // the version that decides changes more slowly than the one that took the item
		card := w.card(it)
		first, second := current, previous
		if i/2%2 == 0 {
			first, second = previous, current
		}
		w.slackTalksTo(first)
		w.click("U0ANA", card, "Accept")
		w.slackTalksTo(second)
		if _, err := w.tryClick("U0BEN", card, other(it.AILabel)); err == nil {
			late++
		}
		w.shows(it, "U0ANA")
		if got := w.calledBack(it); got.Status != hitl.HumanAccepted || !strings.HasSuffix(got.Reviewer, "/U0ANA") {
			t.Errorf("upstream was told %+v", got)
		}
	}
	for _, it := range all {
		for _, w.url = range []string{current, previous} {
			if now := w.get(it.ID); now.Status != hitl.HumanAccepted || now.Label != it.AILabel {
				t.Errorf("%s says %+v", w.url, now)
			}
		}
		if n := len(w.upstream.of(it)); n != 1 {
			t.Errorf("upstream was told of %s %d times", it.ID, n)
		}
	}
	t.Logf("beside version %s; %d of %d decided cards were clicked once more", commit, late, items)
	w.url = current
	if n := query[int](w, `SELECT count(*) FROM hitl.decisions`); n != items {
		t.Errorf("%d decisions of %d items", n, items)
	}
	if n := len(w.sim.Messages(reviewChannel)); n != items {
		t.Errorf("%d cards of %d items", n, items)
	}
	bound := fmt.Sprintf("%d entries, %d of them bound by", 2*items, 2*items)
	w.verifies(bound)
	out, err := exec.CommandContext(t.Context(), bin, "--config", filepath.Join(w.dir, "previous.yaml"), "verify").CombinedOutput()
	if err != nil || !strings.Contains(string(out), bound) {
		t.Errorf("version %s verifies: %v\n%s", commit, err, out)
	}

	left := w.post("side-last", unsureText, http.StatusAccepted)
	stop()
	w.slackTalksTo(current)
	w.decided(left)
}
