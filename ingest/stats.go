package ingest

import (
	"context"
	"strconv"
	"strings"
	"time"

	"hitl"
)

// maxPeriod bounds what one request may make the database count.
const maxPeriod = 366 * 24 * time.Hour

type statsInput struct {
	Since string `query:"since" example:"24h" doc:"Start of the period: a time ago (30m, 24h, 7d) or an RFC 3339 time; default 24h, at most 366d ago."`
	Until string `query:"until" doc:"End of the period, written the same way; default now."`
	Queue string `query:"queue" maxLength:"100" doc:"Only this queue's reviews."`
}

type statsOutput struct {
	Body hitl.Stats
}

// getStats is GET /v1/stats: the figures of all sources, for those that may see them.
func (a *api) getStats(ctx context.Context, in *statsInput) (*statsOutput, error) {
	now := a.Now().UTC()
	since, ok := moment(in.Since, now, now.Add(-24*time.Hour))
	if !ok || now.Sub(since) > maxPeriod {
		return nil, invalid("query.since", "must be a time ago, like 24h or 7d, or an RFC 3339 time, at most 366d ago")
	}
	until, ok := moment(in.Until, now, now)
	if !ok || until.Before(since) || until.Sub(since) > maxPeriod {
		return nil, invalid("query.until", "must be a time ago, like 24h or 7d, or an RFC 3339 time, after since")
	}
	if in.Queue != hitl.CleanText(in.Queue) {
		return nil, invalid("query.queue", "is not the name of a queue")
	}
	stats, err := a.Records.Stats(ctx, hitl.StatsQuery{Since: since, Until: until, Queue: in.Queue})
	if err != nil {
		return nil, a.readError(ctx, err)
	}
	return &statsOutput{stats}, nil
}

// moment reads a point in time: "24h" or "7d" before now, or RFC 3339.
func moment(s string, now, missing time.Time) (time.Time, bool) {
	if s == "" {
		return missing, true
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UTC(), true
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.Atoi(days)
		return now.AddDate(0, 0, -min(n, 4000)), err == nil && n >= 0
	}
	d, err := time.ParseDuration(s)
	return now.Add(-d), err == nil && d >= 0
}
