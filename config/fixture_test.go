package config

import (
	"encoding/base64"
	"strings"
	"testing"
)

// secretWord stands in every secret of the tests, so that one search finds any that leaks.
const secretWord = "hunter2"

// webhookSecret is a good secret in the form of Standard Webhooks.
var webhookSecret = "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(secretWord, 5)))

// exampleEnv is what example.yaml asks for.
var exampleEnv = map[string]string{
	"HITL_POSTGRES_URL":           "postgres://hitl:" + secretWord + "@db.internal/hitl",
	"HITL_SLACK_BOT_TOKEN":        "xoxb-" + secretWord,
	"HITL_SLACK_SIGNING_SECRET":   secretWord,
	"HITL_SAMPLE_KEY":             secretWord + secretWord + secretWord,
	"HITL_ORDERS_KEY_SHA256":      strings.Repeat("ab", 32),
	"HITL_ORDERS_CALLBACK_SECRET": webhookSecret,
	"HITL_SHOP_SECRET":            webhookSecret,
	"HITL_GITHUB_SECRET":          secretWord,
}

func envOf(m map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := m[name]
		return v, ok
	}
}

// minimal is the smallest file that is accepted.
const minimal = `
postgres: {url: "postgres://hitl@localhost/hitl"}
slack: {bot_token: xoxb-1, signing_secret: s}
queues:
  default: {channel: C012, reviewers: {users: [U012]}}
sources:
  orders:
    auth: {bearer: ["sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"]}
`

func mustParse(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Parse([]byte(text), envOf(nil))
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return c
}
