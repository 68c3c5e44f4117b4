package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"text/template"
)

const demoBotToken = "xoxb-demo"

// demoSecrets are made once per data folder and kept in it.
type demoSecrets struct {
	Key      string `json:"key"`      // bearer key of the source "demo"
	Signing  string `json:"signing"`  // Slack's signing secret
	Callback string `json:"callback"` // whsec_… of the callbacks
	Role     string `json:"role"`     // password of the service's Postgres role
	Sample   string `json:"sample"`   // HMAC key of the quality sample
	Log      string `json:"log"`      // private key of the log's checkpoints
}

func loadDemoSecrets(dir string) (demoSecrets, error) {
	path := filepath.Join(dir, "secrets.json")
	var s demoSecrets
	data, err := os.ReadFile(path)
	switch {
	case err == nil:
		if err := json.Unmarshal(data, &s); err != nil {
			return s, fmt.Errorf("read %s: %w", path, err)
		}
		if s.Log != "" {
			return s, nil
		}
		if s.Log, _, err = newLogKey("demo.hitl.local"); err != nil { // kept by a demo that signed nothing yet
			return s, err
		}
		return s, s.save(path)
	case !errors.Is(err, fs.ErrNotExist):
		return s, err
	}
	whsec := make([]byte, 24)
	_, _ = rand.Read(whsec) // never fails
	s = demoSecrets{
		Key: "demo", Signing: rand.Text(), Callback: "whsec_" + base64.StdEncoding.EncodeToString(whsec),
		Role: rand.Text(), Sample: rand.Text(),
	}
	if s.Log, _, err = newLogKey("demo.hitl.local"); err != nil {
		return s, err
	}
	return s, s.save(path)
}

func (s demoSecrets) save(path string) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}

// KeyHash is how the configuration holds the bearer key.
func (s demoSecrets) KeyHash() string {
	sum := sha256.Sum256([]byte(s.Key))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// demoSettings are what the demo's configuration file says. The service is configured by that file alone, as in production.
type demoSettings struct {
	demoSecrets
	BotToken                 string
	PostgresURL, MigrateURL  string
	RedisAddr, RedisPassword string
	Listen                   string // host:port of Service
	Service, Slack, Upstream string // addresses
	Threshold                float64
}

var demoConfig = template.Must(template.New("hitl.yaml").Funcs(template.FuncMap{"q": quoteYAML}).Parse(`# Written by hitl demo at every start. Use it while the demo runs: hitl --config THIS_FILE stats
server:
  listen: {{q .Listen}}
  metrics_listen: 127.0.0.1:0
  public_url: {{q .Service}}
postgres:
  url: {{q .PostgresURL}}
  migrate_url: {{q .MigrateURL}}
audit:
  key: {{q .Log}}
redis:
  addrs: [{{q .RedisAddr}}]
  password: {{q .RedisPassword}}
slack:
  bot_token: {{q .BotToken}}
  signing_secret: {{q .Signing}}
  api_url: {{q (print .Slack "/api/")}}
  shortcut_sources: [demo] # the menu of a message has "Send to hitl"
callbacks: # the demo's upstream listens on this machine
  allow_http: true
  allow_private: true
classifiers:
  sentiment:
    model: starter
policies:
  sentiment:
    threshold: {{.Threshold}}
    queue: support
    rules:
      - name: refund
        when: item.text.matches("(?i)\\b(refund|chargeback|money back)\\b")
        priority: urgent
        description: Money is at stake.
    sample:
      rate: 0.05
      key: {{q .Sample}}
queues:
  support:
    channel: C0REVIEW
    reviewers:
      users: [U0CHLOE]
      groups: [S0REVIEWERS]
    owners:
      users: [U0CHLOE] # may type /hitl pause support
    sla:
      remind_after: 30m
    reasons: [Irony, Mixed feelings, Not about us]
    redact: [email, phone, card, iban] # what a card hides until a reviewer reveals it
sources:
  demo:
    classifier: sentiment
    policy: sentiment
    stats: true
    auth:
      bearer: [{{q .KeyHash}}]
    mapping: # what POST /v1/hooks/demo makes of a ticket
      id: string(body.ticket.id)
      text: body.ticket.message
      metadata: '{"customer": body.ticket.customer}'
    callback:
      url: {{q .Upstream}}
      secret: {{q .Callback}}
      undo: amend # tell the upstream at once, and again when somebody clicks Undo
`))

// quoteYAML writes a value as a double-quoted YAML string, which JSON's are; "$" is doubled, since the file's ${…} names the environment.
func quoteYAML(v string) (string, error) {
	b, err := json.Marshal(v)
	return string(bytes.ReplaceAll(b, []byte("${"), []byte("$${"))), err
}

func (s demoSettings) write(path string) error {
	var b bytes.Buffer
	if err := demoConfig.Execute(&b, s); err != nil {
		return fmt.Errorf("write demo configuration: %w", err)
	}
	return os.WriteFile(path, b.Bytes(), 0o600)
}
