package queue

import (
	"context"
	"fmt"
	"strings"
)

// ServerVersion asks Redis for its version, "7.4.1".
func (c *Client) ServerVersion(ctx context.Context) (string, error) {
	info, err := c.rdb.Info(ctx, "server").Result()
	if err != nil {
		return "", fmt.Errorf("reach redis: %w", err)
	}
	for line := range strings.Lines(info) {
		if version, ok := strings.CutPrefix(strings.TrimSpace(line), "redis_version:"); ok {
			return version, nil
		}
	}
	return "", fmt.Errorf("reach redis: it does not tell its version")
}
