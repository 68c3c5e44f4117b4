package config

import (
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestExampleIsGood(t *testing.T) {
	t.Parallel()
	c, err := Parse(Example(), envOf(exampleEnv))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Sources["orders"].Callback.Secret.Reveal(); got != webhookSecret {
		t.Errorf("callback secret = %q", got)
	}
}

func TestMinimal(t *testing.T) {
	t.Parallel()
	c := mustParse(t, minimal)
	d := Default()
	d.Postgres, d.Slack.BotToken, d.Slack.SigningSecret = c.Postgres, c.Slack.BotToken, c.Slack.SigningSecret
	q := New[Queue]()
	q.Channel, q.Reviewers.Users = "C012", []string{"U012"}
	s := New[Source]()
	s.Auth.Bearer = c.Sources["orders"].Auth.Bearer
	d.Queues, d.Sources = map[string]Queue{"default": q}, map[string]Source{"orders": s}
	if diff := cmp.Diff(d, c); diff != "" {
		t.Errorf("a minimal file differs from the defaults (-want +got):\n%s", diff)
	}
	if err := d.Validate(); err != nil {
		t.Errorf("the same built by hand: %v", err)
	}
	if c.Log.Level != slog.LevelInfo || c.Callbacks.Schedule[8] != 24*time.Hour || c.Policies["default"].Threshold != 0.85 {
		t.Errorf("defaults are not what they should be: %+v", c)
	}
}
