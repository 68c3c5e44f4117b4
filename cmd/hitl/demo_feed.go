package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"hitl/classifier/starter"
)

// feed posts sample items to the API, as an upstream would, until ctx ends.
func (d *demo) feed(ctx context.Context, serviceURL, key string) error {
	if d.cmd.Feed <= 0 {
		return nil
	}
	samples := starter.Samples()
	client := &http.Client{Timeout: 30 * time.Second}
	tick := time.NewTicker(time.Minute / time.Duration(d.cmd.Feed))
	defer tick.Stop()
	for i := 0; ; i++ {
		if err := postItem(ctx, client, serviceURL, key, samples[i%len(samples)].Text); err != nil && ctx.Err() == nil {
			d.logger.WarnContext(ctx, "sample item not taken", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func postItem(ctx context.Context, client *http.Client, serviceURL, key, text string) error {
	body, err := json.Marshal(map[string]any{"text": text, "metadata": map[string]any{"channel": "demo feed"}})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, serviceURL+"/v1/items", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("status %d: %s", resp.StatusCode, answer)
	}
	return err
}
