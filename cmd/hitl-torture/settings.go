package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"text/template"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// feed is a source of items with the queue and the channel of its reviews.
type feed struct {
	Name    string
	Channel string
	Key     string // bearer key

	UndoFor  time.Duration // how long who decided can take it back; 0: never
	Amend    bool          // callbacks do not wait for that, and are amended
	ClaimFor time.Duration // 0: nothing is claimed
	Panel    int           // verdicts that a half of the reviews take; 0: none
}

// undoes says whether decisions can be taken back.
func (f feed) undoes() bool { return f.UndoFor > 0 }

// KeyHash is how the configuration holds the bearer key.
func (f feed) KeyHash() string {
	sum := sha256.Sum256([]byte(f.Key))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// probeFeed is the source of the items by which recovery is timed; it has a channel of its own, so that no backlog is before them.
const probeFeed = "probe"

// feeds are all sources. Each posts in its own way (see sources.go), and each queue is worked on in its own way (see reviewers.go): decisions are
// undone while the callback waits, or after it was sent; reviews are claimed; panels judge. The verdicts that a panel takes are even in number, so
// that some have no majority.
func feeds() []feed {
	return []feed{
		{Name: "shop", Channel: "C0SHOP", Key: rand.Text(), UndoFor: 5 * time.Second},
		{Name: "desk", Channel: "C0DESK", Key: rand.Text(), UndoFor: 5 * time.Second, Amend: true},
		{Name: "hooks", Channel: "C0HOOKS", Key: rand.Text(), ClaimFor: 8 * time.Second},
		{Name: "panel", Channel: "C0PANEL", Key: rand.Text(), Panel: 4},
		{Name: probeFeed, Channel: "C0PROBE", Key: rand.Text()},
	}
}

func newWebhookSecret() string {
	key := make([]byte, 24)
	_, _ = rand.Read(key) // never fails
	return "whsec_" + base64.StdEncoding.EncodeToString(key)
}

// newLogKey makes the key that signs the log's checkpoints, and what its public side verifies.
func newLogKey() (private string, verifier note.Verifier, err error) {
	private, public, err := note.GenerateKey(rand.Reader, "torture.test")
	if err == nil {
		verifier, err = note.NewVerifier(public)
	}
	if err != nil {
		return "", nil, fmt.Errorf("make log key: %w", err)
	}
	return private, verifier, nil
}

// settings are what a replica's configuration file says.
type settings struct {
	Listen                           string
	PostgresURL, MigrateURL          string
	RedisAddr, RedisPassword         string
	SlackAPI, BotToken, Signing      string
	AppToken                         string // for Socket Mode; "": HTTP
	CallbackURL, CallbackSecret      string
	LogKey                           string
	Feeds                            []feed
	FirstReviewer, ReviewerGroupName string
}

// Callbacks are tried every second for longer than any run takes: the schedule of production would outlast us.
var configFile = template.Must(template.New("hitl.yaml").Parse(`# written by hitl-torture
server: {listen: {{.Listen | printf "%q"}}, metrics_listen: "off", shutdown_timeout: {{.ShutdownTimeout}}}
log: {level: info}
postgres: {url: {{.PostgresURL | printf "%q"}}, migrate_url: {{.MigrateURL | printf "%q"}}}
audit: {key: {{.LogKey | printf "%q"}}, checkpoint_every: 1s}
redis: {addrs: [{{.RedisAddr | printf "%q"}}], password: {{.RedisPassword | printf "%q"}}}
slack: {bot_token: {{.BotToken | printf "%q"}}, {{if .AppToken}}app_token: {{.AppToken | printf "%q"}}{{else}}signing_secret: {{.Signing | printf "%q"}}{{end}}, api_url: {{.SlackAPI | printf "%q"}}}
callbacks:
  allow_http: true
  allow_private: true
  timeout: 2s
  schedule: [{{range $i, $_ := .Schedule}}{{if $i}}, {{end}}1s{{end}}]
classifiers:
  sentiment: {model: starter, onnxruntime: "off"}
policies:
{{- range .Feeds}}
  {{.Name}}: {threshold: 0.9, queue: {{.Name}}{{if eq .Name "probe"}}, always_review: [POSITIVE, NEGATIVE]{{end}}}
{{- end}}
queues:
{{- range .Feeds}}
  {{.Name}}: {channel: {{.Channel}}, open_limit: 15, undo_for: {{.UndoFor}}, claim_for: {{.ClaimFor}}, reviewers: {users: [{{$.FirstReviewer}}], groups: [{{$.ReviewerGroupName}}]}
    {{- if .Panel}}, panel: {reviewers: {{.Panel}}, share: 0.5, adjudicators: {users: [{{$.FirstReviewer}}]}}{{end}}}
{{- end}}
sources:
{{- range .Feeds}}
  {{.Name}}:
    classifier: sentiment
    policy: {{.Name}}
    stats: true
    auth: {bearer: [{{.KeyHash | printf "%q"}}]}
    callback: {url: {{$.CallbackURL | printf "%q"}}, secret: {{$.CallbackSecret | printf "%q"}}{{if .Amend}}, undo: amend{{end}}}
{{- if eq .Name "hooks"}}
    mapping: {id: string(body.ticket.id), text: body.ticket.message}
{{- end}}
{{- end}}
`))

// ShutdownTimeout is how long a replica may take to finish what it has, once it is told to stop.
func (s settings) ShutdownTimeout() time.Duration { return 20 * time.Second }

// Schedule has one entry for each second attempt and later ones.
func (s settings) Schedule() []struct{} { return make([]struct{}, 5000) }

func (s settings) write(file string) error {
	var b bytes.Buffer
	if err := configFile.Execute(&b, s); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return os.WriteFile(file, b.Bytes(), 0o600)
}
