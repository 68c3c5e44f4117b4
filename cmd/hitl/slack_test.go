package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hitl/bot"
	"hitl/bot/slacksim"
	"hitl/config"
)

// sameAsFile holds what was printed against a file; -update writes the file.
func sameAsFile(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s differs (write it anew with -update):\n%s", file, d)
	}
}

// The configuration takes just the languages that the bot speaks.
func TestLanguages(t *testing.T) {
	t.Parallel()
	field, ok := reflect.TypeFor[config.Slack]().FieldByName("Language")
	if !ok {
		t.Fatal("no language in the configuration")
	}
	got := slices.Sorted(strings.SplitSeq(field.Tag.Get("oneof"), "|"))
	if want := bot.Languages(); !slices.Equal(got, want) || field.Tag.Get("default") == "" {
		t.Errorf("slack.language takes %v, the bot speaks %v", got, want)
	}
}

// The manifest that is kept for copying is what the command prints.
func TestManifestFile(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := program{stdout: &out, stderr: &out, env: os.LookupEnv}
	if err := p.run(t.Context(), []string{"slack", "manifest", "--url", "https://hitl.example.org"}); err != nil {
		t.Fatal(err)
	}
	sameAsFile(t, "../../deploy/slack/manifest.yaml", out.String())
}

// namePublicURL has commands read a configuration that names the port which the service happens to have.
func (w *world) namePublicURL() {
	w.t.Helper()
	text, err := os.ReadFile(w.configFile())
	if err != nil {
		w.t.Fatal(err)
	}
	w.dir = w.t.TempDir()
	if err := os.WriteFile(w.configFile(), bytes.Replace(text, []byte("server: {"), []byte(`server: {public_url: "`+w.url+`", `), 1), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// With Socket Mode no request of Slack's comes in, and there need be no secret to sign one with.
func TestDoctorInSocketMode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) { s.Socket = true })
	w.namePublicURL()
	if out := w.mustHitl("slack", "doctor"); strings.Contains(out, "✗") || !strings.Contains(out, "not looked at: slack.app_token is set") {
		t.Errorf("printed %s", out)
	}
}

// A service that runs, in a workspace that is as it should be.
func TestDoctorOfARunningService(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.namePublicURL()
	if out := w.mustHitl("slack", "doctor", "--post"); strings.Contains(out, "✗") || strings.Contains(out, "–") || !strings.Contains(out, "fit together") {
		t.Error(out)
	}
	var report struct {
		OK     bool        `json:"ok"`
		Checks []bot.Check `json:"checks"`
	}
	if err := json.Unmarshal([]byte(w.mustHitl("slack", "doctor", "--json")), &report); err != nil || !report.OK || len(report.Checks) < 6 {
		t.Errorf("%+v, %v", report, err)
	}
	w.stop()
	out, err := w.hitl("slack", "doctor")
	if code, ok := errors.AsType[exitError](err); !ok || code != exitFailure || !strings.Contains(out, "✗ requests") || !strings.Contains(out, "the service is not running") {
		t.Errorf("%v\n%s", err, out)
	}
}

// Nearly everything is wrong, and all of it is said.
func TestDoctorPrints(t *testing.T) {
	t.Parallel()
	ws := slacksim.DemoWorkspace()
	ws.Scopes = []string{"chat:write", "commands", "users:read", "usergroups:read", "channels:history", "files:write"}
	ws.Team.Name = "Slack\x1b[31m simulator"
	sim, err := slacksim.New(ws)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim)
	t.Cleanup(func() { sim.Close(); server.Close() })
	key := strings.Fields((&world{t: t, dir: t.TempDir()}).mustHitl("log", "key", "log.example.org"))[0]
	file := filepath.Join(t.TempDir(), "hitl.yaml")
	if err := os.WriteFile(file, []byte(`
server: {public_url: "http://127.0.0.1:1"}
postgres: {url: "postgres://service:x@localhost/hitl"}
slack: {bot_token: `+sim.Token()+`, signing_secret: abc, api_url: "`+server.URL+`/api/"}
audit: {anchor_channel: C0ESCALATE, key: "`+key+`"}
queues:
  default: {channel: C0REVIEW, reviewers: {users: [U0ANA, U0DAN], groups: [S0REVIEWERS, S0NONE]}}
  other: {channel: C0GENERAL, reviewers: {users: [U0ANA]}}
sources:
  shop: {}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	p := program{stdout: &out, stderr: &errOut, env: os.LookupEnv}
	err = p.run(t.Context(), []string{"--config", file, "slack", "doctor"})
	if code, ok := errors.AsType[exitError](err); !ok || code != exitFailure {
		t.Fatalf("%v\n%s", err, &errOut)
	}
	sameAsFile(t, "testdata/doctor.golden", out.String())
	if r := sim.Refused(); len(r) > 0 {
		t.Errorf("Slack would have refused: %+v", r)
	}
}

func TestReachableAt(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]config.Server{
		"https://hitl.example.org": {PublicURL: "https://hitl.example.org", Listen: ":8080"},
		"http://127.0.0.1:8080":    {Listen: ":8080"},
		"http://127.0.0.1:8081":    {Listen: "[::]:8081"},
		"http://10.0.0.7:8080":     {Listen: "10.0.0.7:8080"},
		"http://[fd00::1]:8080":    {Listen: "[fd00::1]:8080"},
		"":                         {Listen: "127.0.0.1:0"},
	} {
		if got := reachableAt(s); got != want {
			t.Errorf("%+v: %q, want %q", s, got, want)
		}
	}
}

// Who lets a channel's members review asks for the scopes that it takes.
func TestManifestOfAConfiguration(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	if out := w.mustHitl("slack", "manifest", "--socket"); strings.Contains(out, "channels:read") {
		t.Errorf("asks for more than is needed: %s", out)
	}
	text, err := os.ReadFile(w.configFile())
	if err != nil {
		t.Fatal(err)
	}
	w.dir = t.TempDir()
	text = bytes.Replace(text, []byte("reviewers: {"), []byte("reviewers: {channel_members: true, "), 1)
	if err := os.WriteFile(w.configFile(), text, 0o600); err != nil {
		t.Fatal(err)
	}
	if out := w.mustHitl("slack", "manifest", "--socket"); !strings.Contains(out, "channels:read") || !strings.Contains(out, "groups:read") {
		t.Errorf("asks for too little: %s", out)
	}
}
