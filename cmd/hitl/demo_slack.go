package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"hitl/bot"
	"hitl/bot/slacksim"
)

// saveEvery is how often a kept workspace is written: what a killed demo may forget.
const saveEvery = 2 * time.Second

// startSlack serves the simulated workspace until the demo stops. With --data the workspace is kept in dir, as Slack would keep it.
func (d *demo) startSlack(ctx context.Context, l net.Listener, s demoSettings, dir string) error {
	cfg := slacksim.DemoWorkspace()
	cfg.Token, cfg.SigningSecret, cfg.BaseURL, cfg.Logger = s.BotToken, s.Signing, s.Slack, d.logger
	cfg.Commands, cfg.Scopes = []string{"/hitl"}, bot.Scopes(bot.Needs{})
	cfg.Events = []string{slacksim.EventHomeOpened, slacksim.EventChannels, slacksim.EventGroups} // as the manifest has them
	cfg.Shortcuts = []slacksim.Shortcut{{Name: "Send to hitl", CallbackID: "hitl_send", Type: slacksim.MessageShortcut}}
	cfg.Endpoints = slacksim.Endpoints{
		Interactivity: s.Service + "/slack/interactivity", Options: s.Service + "/slack/options",
		Commands: s.Service + "/slack/commands", Events: s.Service + "/slack/events",
	}
	sim, err := slacksim.New(cfg)
	if err != nil {
		return err
	}
	file := ""
	if d.cmd.Data != "" {
		file = filepath.Join(dir, "slack.json")
		if err := loadWorkspace(sim, file); err != nil {
			return err
		}
	}
	server := &http.Server{Handler: sim, ReadHeaderTimeout: 10 * time.Second}
	served, saved := make(chan struct{}), make(chan error, 1)
	go func() { defer close(served); _ = server.Serve(l) }() // ends with Close
	keeping, stopKeeping := context.WithCancel(context.WithoutCancel(ctx))
	go func() { saved <- keepWorkspace(keeping, sim, file) }()
	d.onStop(func(context.Context) error {
		sim.Close()
		err := server.Close()
		<-served
		stopKeeping()
		return errors.Join(err, <-saved)
	})
	return nil
}

func loadWorkspace(sim *slacksim.Sim, file string) error {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if err := sim.Load(f); err != nil {
		return fmt.Errorf("load the simulated Slack from %s: %w (delete the file to begin with an empty one)", file, err)
	}
	return nil
}

// keepWorkspace writes the workspace to a file every now and then, and once more when ctx ends. Without a file it waits for that.
func keepWorkspace(ctx context.Context, sim *slacksim.Sim, file string) error {
	if file == "" {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return writeWhole(file, func(w io.Writer) error { return sim.Save(w) })
		case <-tick.C:
			if err := writeWhole(file, func(w io.Writer) error { return sim.Save(w) }); err != nil {
				return fmt.Errorf("keep the simulated Slack: %w", err)
			}
		}
	}
}
