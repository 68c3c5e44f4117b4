package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"hitl"
	"hitl/audit"
	"hitl/classifier/learn"
	"hitl/config"
)

const (
	// flagEvery is how often it is looked whether a week is over that shows what owners are told of.
	flagEvery = time.Hour
	// oneWeek is how far back a week may have ended of which they are told still: each but the last is past.
	oneWeek = 7 * 24 * time.Hour
)

// stamping is somebody whose decisions on a queue in an ISO week look like rubber-stamping.
type stamping struct {
	queue    string
	week     string // "2026-W47"
	reviewer hitl.Reviewer
	learn.Pattern
	learn.Signs
}

// stampings returns those of the weeks that ended within a period, by the clocks of each queue's hours. Queues that are not to be looked at are left out.
func stampings(ctx context.Context, store *audit.Store, cfg *config.Config, period hitl.StatsQuery) ([]stamping, error) {
	var out []stamping
	known := map[time.Time][]audit.ReviewerPattern{} // queues share weeks
	for _, name := range slices.Sorted(maps.Keys(cfg.Queues)) {
		q := cfg.Queues[name]
		if !q.FlagRubberStamping || period.Queue != "" && period.Queue != name {
			continue
		}
		zone := time.UTC
		if h := hours(q.Hours); !h.Always() {
			zone = h.Location()
		}
		for until := hitl.Monday(period.Until, zone); until.After(period.Since); {
			since := hitl.Monday(until.Add(-time.Hour), zone)
			rows, ok := known[since]
			if !ok {
				var err error
				if rows, err = store.ReviewerPatterns(ctx, hitl.StatsQuery{Since: since, Until: until}); err != nil {
					return nil, err
				}
				known[since] = rows
			}
			year, week := since.In(zone).ISOWeek()
			out = append(out, stampingsOf(rows, name, fmt.Sprintf("%d-W%02d", year, week))...)
			until = since
		}
	}
	return out, nil
}

// stampingsOf holds each reviewer of a queue in a week against all the others.
func stampingsOf(rows []audit.ReviewerPattern, queue, week string) []stamping {
	var all learn.Pattern
	mine := slices.DeleteFunc(slices.Clone(rows), func(r audit.ReviewerPattern) bool { return r.Queue != queue })
	for _, r := range mine {
		all.OthersJudged += r.Judged
		all.OthersCorrected += r.Corrected
		all.OthersKnown += r.Known
		all.OthersMissed += r.Missed
	}
	var out []stamping
	for _, r := range mine {
		p := learn.Pattern{
			Judged: r.Judged, Corrected: r.Corrected, OthersJudged: all.OthersJudged - r.Judged, OthersCorrected: all.OthersCorrected - r.Corrected,
			Known: r.Known, Missed: r.Missed, OthersKnown: all.OthersKnown - r.Known, OthersMissed: all.OthersMissed - r.Missed,
			Gaps: r.Gaps, MedianGap: time.Duration(r.MedianGap * float64(time.Second)),
		}
		if s := p.Signs(); s.Stamping() {
			out = append(out, stamping{queue, week, r.Reviewer, p, s})
		}
	}
	return out
}

// addFlags has the owners of each queue told of the week that is over: once for each reviewer, since notices are named by queue, week and reviewer.
func (s *service) addFlags(ctx context.Context) error {
	now := time.Now()
	found, err := stampings(ctx, s.store, s.cfg, hitl.StatsQuery{Since: now.Add(-oneWeek), Until: now})
	if err != nil {
		return err
	}
	var due []hitl.Notice
	for _, f := range found {
		for _, to := range f.told(s.cfg.Queues[f.queue]) {
			due = append(due, hitl.Notice{
				ID:   strings.Join([]string{"ntc_stamping", f.queue, f.week, f.reviewer.Team, f.reviewer.User, to}, "_"),
				Kind: hitl.NoticeStamping, Queue: f.queue, To: to, Data: f.data(),
			})
		}
	}
	return s.store.AddNotices(ctx, due...)
}

// told returns who hears of it: the owners in a channel of their own, or each of them alone, but not whom it is about. Reviewers read the queue's channel:
// it is never told there.
func (f stamping) told(q config.Queue) []string {
	if c := q.Owners.Channel; c != "" && c != q.Channel {
		return []string{c}
	}
	return slices.DeleteFunc(slices.Clone(q.Owners.Users), func(u string) bool { return u == f.reviewer.User })
}

// data is what the notice says: the figures as they were when the week was looked at.
func (f stamping) data() map[string]string {
	n := strconv.Itoa
	return map[string]string{
		"team": f.reviewer.Team, "user": f.reviewer.User, "week": f.week,
		"judged": n(f.Judged), "corrected": n(f.Corrected), "others_judged": n(f.OthersJudged), "others_corrected": n(f.OthersCorrected),
		"known": n(f.Known), "missed": n(f.Missed), "others_known": n(f.OthersKnown), "others_missed": n(f.OthersMissed),
		"gaps": n(f.Gaps), "median_gap_ms": strconv.FormatInt(f.MedianGap.Milliseconds(), 10),
	}
}

// stampingFigures are one as JSON has them.
type stampingFigures struct {
	Queue           string  `json:"queue"`
	Week            string  `json:"week"` // of ISO 8601
	Reviewer        string  `json:"reviewer"`
	Gaps            int     `json:"gaps"` // decisions that followed another one; a batch is one
	MedianGap       float64 `json:"median_gap_s"`
	Judged          int     `json:"judged"` // on items that the model gave a label, and showed it
	Corrected       int     `json:"corrected"`
	OthersJudged    int     `json:"others_judged"`
	OthersCorrected int     `json:"others_corrected"`
	Agrees          bool    `json:"corrects_rarely"` // at most half as often as the others, and not by chance
	PAgrees         float64 `json:"p_corrects_rarely"`
	Known           int     `json:"gold"`
	Missed          int     `json:"gold_missed"`
	OthersKnown     int     `json:"others_gold"`
	OthersMissed    int     `json:"others_gold_missed"`
	Misses          bool    `json:"misses_gold"` // at least twice as often as the others, and not by chance
	PMisses         float64 `json:"p_misses_gold"`
}

func (f stamping) figures() stampingFigures {
	return stampingFigures{
		Queue: f.queue, Week: f.week, Reviewer: f.reviewer.String(), Gaps: f.Gaps, MedianGap: f.MedianGap.Seconds(),
		Judged: f.Judged, Corrected: f.Corrected, OthersJudged: f.OthersJudged, OthersCorrected: f.OthersCorrected, Agrees: f.Agrees, PAgrees: f.PAgrees,
		Known: f.Known, Missed: f.Missed, OthersKnown: f.OthersKnown, OthersMissed: f.OthersMissed, Misses: f.Misses, PMisses: f.PMisses,
	}
}

// printStampings prints those of a period with what speaks for them; nothing when there are none.
func printStampings(w io.Writer, list []stampingFigures) error {
	if len(list) == 0 {
		return nil
	}
	var rows [][]string
	share := func(k, n int) string { return fmt.Sprintf("%d of %d", k, n) }
	for _, f := range list {
		rows = append(rows, []string{
			f.Week, f.Queue, f.Reviewer, spanOf(f.MedianGap), share(f.Corrected, f.Judged), share(f.OthersCorrected, f.OthersJudged),
			fmt.Sprintf("%.2g", f.PAgrees), share(f.Missed, f.Known), share(f.OthersMissed, f.OthersKnown), fmt.Sprintf("%.2g", f.PMisses),
		})
	}
	fmt.Fprintf(w, "\nWeeks worth a conversation:\n\n")
	header := []string{"WEEK", "QUEUE", "REVIEWER", "MEDIAN BETWEEN", "CORRECTED", "OTHERS", "P", "KNOWN MISSED", "OTHERS", "P"}
	if err := table(w, header, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nEach decided within %v of the decision before, and corrected at most half as often as the others or missed known answers at least twice as often,\n"+
		"which chance alone does in less than one week in %d (Fisher's exact test, two-sided; P is its p-value). There may be good reasons. The queue's owners\n"+
		"are told once, unless queues.*.flag_rubber_stamping is false.\n", learn.StampingPace, int(1/learn.StampingLevel))
	return err
}
