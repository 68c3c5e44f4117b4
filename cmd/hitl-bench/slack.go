package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"hitl/bot/slacksim"
)

// workspace is the simulated Slack, with one reviewer.
type workspace struct {
	sim *slacksim.Sim
	url string
}

// startSlack starts a workspace with so many channels, and with strict with Slack's rate limits. It ends with the row.
func (b *bench) startSlack(ctx context.Context, channels int, strict bool) (*workspace, error) {
	cfg := slacksim.Config{Rates: slacksim.RatesOff, Users: []slacksim.User{{ID: reviewer, Name: "ana", RealName: "Ana"}}}
	if strict {
		cfg.Rates = slacksim.RatesStrict
	}
	for i := range channels {
		cfg.Channels = append(cfg.Channels, slacksim.Channel{ID: channelOf(i), Name: queueName(i), Members: []string{reviewer, "U0HITL"}})
	}
	sim, err := slacksim.New(cfg)
	if err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for slack: %w", err)
	}
	w := &workspace{sim: sim, url: "http://" + l.Addr().String()}
	server := &http.Server{Handler: sim, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	sim.SetBaseURL(w.url)
	b.onRowEnd(func(context.Context) error {
		sim.Close()
		err := server.Close()
		if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
			err = errors.Join(err, ended)
		}
		return err
	})
	return w, nil
}
