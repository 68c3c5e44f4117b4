package slacksim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// saved is the file format of Save: what outlives a restart of a workspace.
type saved struct {
	Version  int                  `json:"version"`
	Team     string               `json:"team"`
	Seq      int                  `json:"seq"`
	LastTS   int64                `json:"last_ts"`
	Direct   map[string]string    `json:"direct"` // direct messages: channel id to user id
	Messages map[string][]Message `json:"messages"`
}

// Save writes the workspace's messages, direct messages included, so that [Sim.Load] brings them back after a restart.
// What lives for minutes only is not saved: open views, home tabs, triggers, response_urls, ephemeral messages, faults
// and the record. People and places come from the Config.
func (s *Sim) Save(w io.Writer) error {
	s.mu.Lock()
	out := saved{
		Version: 1, Team: s.cfg.Team.ID, Seq: s.seq, LastTS: s.lastTS,
		Direct: map[string]string{}, Messages: map[string][]Message{},
	}
	for id, c := range s.channels {
		if c.with != "" {
			out.Direct[id] = c.with
		}
		for _, m := range c.messages {
			out.Messages[id] = append(out.Messages[id], m.snapshot())
		}
	}
	s.mu.Unlock()
	if err := json.NewEncoder(w).Encode(out); err != nil {
		return fmt.Errorf("save the workspace: %w", err)
	}
	return nil
}

// Load replaces the messages by those that Save wrote. Channels and users that the Config no longer has are left out. On
// an error the workspace is unchanged.
func (s *Sim) Load(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("load the workspace: %w", err)
	}
	var in saved
	if err := decodeJSON(raw, &in); err != nil {
		return fmt.Errorf("load the workspace: %w", err)
	}
	if in.Version != 1 || in.Team != s.cfg.Team.ID {
		return errors.New("load the workspace: it is of another version or of another team")
	}
	restored := map[string][]*message{}
	for id, list := range in.Messages {
		for _, m := range list {
			stored := &message{Message: m, trouble: m.Trouble}
			if len(m.Blocks) > 0 {
				if stored.blocks, err = json.Marshal(m.Blocks); err != nil {
					return fmt.Errorf("load the workspace: %w", err)
				}
			}
			stored.Blocks, stored.Mentions, stored.Trouble = nil, nil, nil
			restored[id] = append(restored[id], stored)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	s.seq, s.lastTS = max(s.seq, in.Seq), max(s.lastTS, in.LastTS)
	direct := make([]string, 0, len(in.Direct))
	for id := range in.Direct {
		direct = append(direct, id)
	}
	slices.Sort(direct)
	for _, id := range direct {
		if _, ok := s.users[in.Direct[id]]; ok {
			s.addDM(id, in.Direct[id])
		}
	}
	for id, list := range restored {
		if c, ok := s.channels[id]; ok {
			c.messages = list
		}
	}
	s.hub.changed()
	return nil
}
