package bot_test

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"hitl"
	"hitl/bot"
)

// system is what the bot stands on: the system of record and the queue.
type system interface {
	hitl.Decisions
	bot.Cards
	bot.Waiting
	bot.Statistics
	bot.Worklists
}

// A bot for one queue: its handler goes onto the public server, its loops run until ctx is done, and its RefreshCard handles the
// card effects of the system of record.
func Example() {
	serve := func(ctx context.Context, s system, mux *http.ServeMux, token, secret string) error {
		b, err := bot.New(bot.Config{
			Token:          token,
			SigningSecrets: []string{secret},
			Queues: map[string]bot.Queue{
				"support": {Channel: "C0123456789", Reviewers: bot.Reviewers{Groups: []string{"S0123456789"}}, Reasons: []string{"Sarcasm"}},
			},
			Desk:  &hitl.Desk{Decisions: s, Logger: slog.Default(), Now: time.Now},
			Cards: s, Waiting: s, Stats: s, Lists: s,
			Logger: slog.Default(),
		})
		if err != nil {
			return err
		}
		mux.Handle("/slack/", b.Handler())
		return b.Run(ctx)
	}
	_ = serve
}
