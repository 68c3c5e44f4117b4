package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"hitl"
	"hitl/audit"
	"hitl/classifier/learn"
	"hitl/config"
)

// defaultGoldMoment is when people are told of known answers in a queue without a digest.
const defaultGoldMoment = "mon 09:00"

// addGoldFigures has each person told once a week how they answered what was known, and the owners of the queue a week after that.
func (s *service) addGoldFigures(ctx context.Context) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Queues)) {
		if err := addGold(ctx, s.store, name, s.cfg.Queues[name], time.Now()); err != nil {
			errs = append(errs, fmt.Errorf("queue %q: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

func addGold(ctx context.Context, store *audit.Store, name string, q config.Queue, now time.Time) error {
	if q.Digest == "" {
		q.Digest = defaultGoldMoment
	}
	w := digest(q)
	until := w.Latest(now)
	if now.Sub(until) >= digestLate {
		return nil
	}
	since := w.Latest(until.Add(-time.Minute))
	before := w.Latest(since.Add(-time.Minute))
	latest, err := store.GoldFigures(ctx, name, since, until)
	if err != nil {
		return err
	}
	var due []hitl.Notice
	for _, f := range latest {
		n, err := goldNotice(name, f, since, until)
		if err != nil {
			return err
		}
		due = append(due, n)
	}
	earlier, err := store.GoldFigures(ctx, name, before, since)
	if err != nil {
		return err
	}
	for _, f := range earlier {
		n, err := goldNotice(name, f, before, since)
		if err != nil {
			return err
		}
		told, err := store.NoticePosted(ctx, n.ID)
		if err != nil {
			return err
		}
		if told {
			due = append(due, toOwners(n, q.Owners)...)
		}
	}
	return store.AddNotices(ctx, due...)
}

// goldNotice tells one person of one period.
func goldNotice(queue string, f audit.GoldFigures, since, until time.Time) (hitl.Notice, error) {
	missed, err := json.Marshal(f.Missed)
	if err != nil {
		return hitl.Notice{}, fmt.Errorf("write what was missed: %w", err)
	}
	data := map[string]string{
		"right": strconv.Itoa(f.Right), "of": strconv.Itoa(f.Of), "missed": string(missed),
		"since": since.Format(time.RFC3339), "until": until.Format(time.RFC3339),
	}
	if f.Of >= hitl.MinGold {
		i := learn.Wilson(f.Right, f.Of)
		data["low"], data["high"] = strconv.FormatFloat(i.Low, 'f', -1, 64), strconv.FormatFloat(i.High, 'f', -1, 64)
	}
	return hitl.Notice{
		ID:   "ntc_gold_" + queue + "_" + f.Reviewer.User + "_" + until.Format("20060102T1504"),
		Kind: hitl.NoticeGoldPrivate, Queue: queue, To: f.Reviewer.User, Data: data,
	}, nil
}

// toOwners passes what a person was told on to the owners of the queue: in a channel of theirs, or to each alone; never in that of the queue.
func toOwners(n hitl.Notice, owners config.Owners) []hitl.Notice {
	to := owners.Users
	if owners.Channel != "" {
		to = []string{owners.Channel}
	}
	data := maps.Clone(n.Data)
	delete(data, "missed") // that is between them and us
	data["reviewer"] = n.To
	var out []hitl.Notice
	for _, recipient := range to {
		out = append(out, hitl.Notice{ID: n.ID + "_" + recipient, Kind: hitl.NoticeGoldOwners, Queue: n.Queue, To: recipient, Data: data})
	}
	return out
}
