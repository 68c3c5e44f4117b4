package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"hitl"
	"hitl/audit"
	"hitl/audit/verify"
	"hitl/bot"
)

// anchorTarget is the anchor among the sender's targets. No source can have a name with a dot.
const anchorTarget = "audit.anchor_url"

// anchors are those that the configuration names.
func (s *service) anchors() []audit.Anchor {
	var out []audit.Anchor
	if dir := s.cfg.Audit.AnchorDir; dir != "" {
		out = append(out, folderAnchor(dir))
	}
	if s.cfg.Audit.AnchorURL != "" {
		out = append(out, &webhookAnchor{send: s.sender.Send, now: time.Now})
	}
	for _, a := range out {
		s.metrics.anchor(a.Name())
	}
	return out
}

// webhookAnchor posts each checkpoint as a Standard Webhooks message. The id is made of the checkpoint, so that a receiver can drop what it has
// already seen; the body stays the same from one attempt to the next. It is for one goroutine.
type webhookAnchor struct {
	send func(context.Context, hitl.Callback) error
	now  func() time.Time
	last hitl.Callback
}

// Name implements audit.Anchor.
func (*webhookAnchor) Name() string { return "webhook" }

// Keep implements audit.Anchor.
func (a *webhookAnchor) Keep(ctx context.Context, signed string) error {
	c, err := verify.OpenCheckpoint(signed, nil)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(signed))
	if id := fmt.Sprintf("log_%x", sum[:16]); a.last.ID != id {
		body, err := checkpointMessage(c, signed, a.now())
		if err != nil {
			return err
		}
		a.last = hitl.Callback{ID: id, Source: anchorTarget, Body: body}
	}
	return a.send(ctx, a.last)
}

func checkpointMessage(c verify.Checkpoint, signed string, at time.Time) ([]byte, error) {
	type data struct {
		Checkpoint string `json:"checkpoint"` // a signed note
		Size       int64  `json:"size"`
		Origin     string `json:"origin"`
	}
	body, err := json.Marshal(struct {
		Type      string    `json:"type"`
		Timestamp time.Time `json:"timestamp"`
		Data      data      `json:"data"`
	}{"log.checkpoint", at.UTC(), data{signed, c.Size, c.Origin}})
	if err != nil {
		return nil, fmt.Errorf("write checkpoint message: %w", err)
	}
	return body, nil
}

const (
	noticeEvery = 24 * time.Hour
	// noticeSince is how far back a notice counts as today's: longer than a run that failed is tried again, shorter than a day.
	noticeSince = noticeEvery / 2
	// noticeRetry is when it is looked again whether anything is signed.
	noticeRetry = 10 * time.Minute
)

// noticeTasks post the log's latest checkpoint to a channel once a day.
func (s *service) noticeTasks() []audit.Periodic {
	if s.cfg.Audit.AnchorChannel == "" {
		return nil
	}
	s.metrics.anchor("channel")
	return []audit.Periodic{{Name: "anchor_channel", Every: noticeEvery, Run: func(ctx context.Context) error {
		err := s.postCheckpoint(ctx)
		s.metrics.anchored("channel", err)
		return err
	}}}
}

func (s *service) postCheckpoint(ctx context.Context) error {
	signed, err := s.store.LatestCheckpoint(ctx)
	if errors.Is(err, hitl.ErrNotFound) {
		return &hitl.RetryError{After: noticeRetry, Err: errors.New("nothing is signed yet")}
	}
	if err != nil {
		return err
	}
	c, err := verify.OpenCheckpoint(signed, nil)
	if err != nil {
		return fmt.Errorf("read checkpoint: %w", err)
	}
	_, public, err := verify.VerifierOf(s.cfg.Audit.Key.Reveal())
	if err != nil {
		return err
	}
	n := checkpointNotice(c, signed, cmp.Or(s.cfg.Server.PublicURL, "URL"), public)
	n.Channel = s.cfg.Audit.AnchorChannel
	return s.bot.Notify(ctx, n, time.Now().Add(-noticeSince))
}

// checkpointNotice says what a checkpoint is, and how to use it.
func checkpointNotice(c verify.Checkpoint, signed, serviceURL, publicKey string) bot.Notice {
	return bot.Notice{
		Kind: "checkpoint", Code: strings.TrimSpace(signed),
		Text: fmt.Sprintf("The decision log %s today: %d entries, signed. While this message stands, none of them can be changed unseen. "+
			"To check, put the lines below into a file: hitl verify --url %s --key %s --witness FILE", c.Origin, c.Size, serviceURL, publicKey),
	}
}
