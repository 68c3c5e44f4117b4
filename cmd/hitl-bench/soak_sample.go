package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
)

// sampler looks at a service, its Postgres, its Redis and its load.
type sampler struct {
	say  func(format string, args ...any)
	svc  *service
	load *load
	conn *pgx.Conn
	rd   *redis.Client

	begin, at time.Time
	before    totals
}

// totals only rise; series are made of how much.
type totals struct {
	answered, failed, late, wal, cpu, gc float64
}

func (b *bench) openSampler(ctx context.Context, svc *service, l *load) (*sampler, error) {
	conn, err := b.connect(ctx, svc.database)
	if err != nil {
		return nil, err
	}
	rd := redis.NewClient(&redis.Options{Addr: b.rd.Addr(), Password: b.rd.Password(), PoolSize: 1})
	b.onRowEnd(func(context.Context) error { return rd.Close() })
	return &sampler{say: b.say, svc: svc, load: l, conn: conn, rd: rd}, nil
}

const (
	longestPause = 10 * time.Second
	mostMissed   = 6 // samples on end that may fail before the run is given up
)

// run samples until the load has ended, and tells how it goes once a minute.
func (s *sampler) run(ctx context.Context, length time.Duration, ended <-chan int64, r *SoakReport) error {
	every := max(time.Second, min(length/30, longestPause)).Round(time.Second)
	r.Every = every.Seconds()
	s.begin, s.at = time.Now(), time.Now()
	var err error
	if s.before, err = s.totals(ctx, map[string]float64{}); err != nil {
		return fmt.Errorf("take a sample: %w", err)
	}
	tick, told, missed := time.NewTicker(every), time.Now(), 0
	defer tick.Stop()
	for {
		select {
		case r.Posted = <-ended:
			return ctx.Err()
		case <-ctx.Done():
			<-ended
			return ctx.Err()
		case <-tick.C:
		}
		limit, cancel := context.WithTimeout(ctx, max(every, longestPause))
		sample, err := s.sample(limit)
		cancel()
		if err != nil {
			r.Missed++
			if missed++; missed >= mostMissed && ctx.Err() == nil {
				return fmt.Errorf("%d samples on end were missed: %w", missed, err)
			}
			s.say("  a sample is missing: %v", err)
			continue
		}
		missed = 0
		r.Samples = append(r.Samples, sample)
		if time.Since(told) >= time.Minute-every/2 {
			told = time.Now()
			v := sample.Values
			s.say("  %v of %v: %s items/s, p99 %s ms, %s MiB; pending: %.0f reviews, %.0f callbacks; failed: %d",
				time.Since(s.begin).Round(time.Second), length, digits(v["items answered"]), digits(v["p99 latency"]), digits(v["resident memory"]),
				v["reviews pending"], v["callbacks pending"], s.failed())
		}
	}
}

func (s *sampler) failed() int64 {
	n, _ := s.load.failures()
	return n
}

// sample looks at everything once.
func (s *sampler) sample(ctx context.Context) (Sample, error) {
	v := map[string]float64{}
	now, err := s.totals(ctx, v)
	if err != nil {
		return Sample{}, err
	}
	at := time.Now()
	passed := at.Sub(s.at).Seconds()
	v["items answered"] = (now.answered - s.before.answered) / passed
	v["requests failed"] = (now.failed - s.before.failed) / passed
	v["arrivals posted late"] = (now.late - s.before.late) / passed
	if done := now.answered - s.before.answered; done > 0 {
		v["WAL per item"] = (now.wal - s.before.wal) / done / 1024
	}
	if used := now.cpu - s.before.cpu; used > 0 {
		v["CPU"] = used / passed
		if now.gc > 0 {
			v["GC's share of CPU"] = 100 * (now.gc - s.before.gc) / used
		}
	}
	if took := s.load.since(); len(took) > 0 {
		v["median latency"] = took[len(took)/2].Seconds() * 1000
		v["p99 latency"] = took[(len(took)*99+99)/100-1].Seconds() * 1000
	}
	if err := errors.Join(s.waiting(ctx, v), s.tables(ctx, v), s.redis(ctx, v)); err != nil {
		return Sample{}, err
	}
	s.at, s.before = at, now
	return Sample{Seconds: at.Sub(s.begin).Seconds(), Values: v}, nil
}

// totals reads what rises, and adds what the same sources say besides.
func (s *sampler) totals(ctx context.Context, v map[string]float64) (t totals, err error) {
	failed, _ := s.load.failures()
	s.load.mu.Lock()
	t.answered = float64(s.load.answered)
	s.load.mu.Unlock()
	t.failed, t.late = float64(failed), float64(s.load.arrivals.late.Load())
	said, err := scrape(ctx, s.svc.metrics[0])
	if err != nil {
		return t, err
	}
	t.cpu, t.gc = said["process_cpu_seconds_total"], said["go_cpu_classes_gc_total_cpu_seconds_total"]
	for name, from := range map[string]struct {
		metric string
		unit   float64
	}{
		"resident memory":    {"process_resident_memory_bytes", 1 << 20},
		"heap in use":        {"go_memstats_heap_inuse_bytes", 1 << 20},
		"heap live after GC": {"go_gc_heap_live_bytes", 1 << 20},
		"goroutines":         {"go_goroutines", 1},
		"open files":         {"process_open_fds", 1},
	} {
		if x, ok := said[from.metric]; ok {
			v[name] = x / from.unit
		}
	}
	err = s.conn.QueryRow(ctx, `SELECT pg_current_wal_lsn() - '0/0'::pg_lsn`).Scan(&t.wal)
	return t, err
}

// waiting reads what still has to be done.
func (s *sampler) waiting(ctx context.Context, v map[string]float64) error {
	var reviews, callbacks, jobs, outside, database, connections float64
	err := s.conn.QueryRow(ctx, `
		SELECT (SELECT count(*) FROM hitl.reviews WHERE state = 'open'), (SELECT count(*) FROM hitl.callbacks WHERE state = 'pending'),
		    (SELECT count(*) FROM hitl_jobs.river_job WHERE state IN ('available', 'running', 'retryable', 'scheduled', 'pending')),
		    (SELECT greatest(max(id) - (SELECT size FROM hitl.log_tree), 0) FROM hitl.log),
		    pg_database_size(current_database()) / 1048576.0,
		    (SELECT count(*) - 1 FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend')`,
	).Scan(&reviews, &callbacks, &jobs, &outside, &database, &connections)
	v["reviews pending"], v["callbacks pending"], v["jobs pending"] = reviews, callbacks, jobs
	v["log entries outside the tree"], v["database"], v["connections to Postgres"] = outside, database, connections
	return err
}

// tables reads their sizes, indexes and what is stored beside them included. Rows are those that were inserted less those that were deleted: counting them
// would read all.
func (s *sampler) tables(ctx context.Context, v map[string]float64) error {
	rows, err := s.conn.Query(ctx, `
		SELECT CASE schemaname WHEN 'hitl' THEN '' ELSE schemaname || '.' END || relname, pg_total_relation_size(relid)::float8,
		    (n_tup_ins - n_tup_del)::float8, n_dead_tup::float8
		FROM pg_stat_user_tables WHERE schemaname IN ('hitl', 'hitl_jobs')`)
	if err != nil {
		return err
	}
	var name string
	var size, live, dead float64
	_, err = pgx.ForEachRow(rows, []any{&name, &size, &live, &dead}, func() error {
		v[name+tableMiB], v[name+tableRows], v[name+tableDead] = size/(1<<20), live, dead
		if live > 0 {
			v[name+tablePerRow], v[name+tableDeadShare] = size/live, dead/live
		}
		return nil
	})
	return err
}

// redis reads what Redis holds.
func (s *sampler) redis(ctx context.Context, v map[string]float64) error {
	info, err := s.rd.InfoMap(ctx, "memory", "clients").Result()
	if err != nil {
		return err
	}
	for name, at := range map[string]struct {
		section, field string
		unit           float64
	}{"Redis memory": {"Memory", "used_memory", 1 << 20}, "Redis clients": {"Clients", "connected_clients", 1}} {
		x, err := strconv.ParseFloat(info[at.section][at.field], 64)
		if err != nil {
			return fmt.Errorf("read %s of redis: %w", at.field, err)
		}
		v[name] = x / at.unit
	}
	keys, err := s.rd.DBSize(ctx).Result()
	if err != nil {
		return err
	}
	v["Redis keys"] = float64(keys)
	var entries int64
	for i := range 2 {
		for _, stream := range []string{"urgent", "normal", "sample"} {
			n, err := s.rd.XLen(ctx, s.svc.prefix+":{"+queueName(i)+"}:"+stream).Result()
			if err != nil {
				return err
			}
			entries += n
		}
	}
	v["Redis stream entries"] = float64(entries)
	return nil
}

// scrape reads metrics without labels by their names.
func scrape(ctx context.Context, url string) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("metrics: %s", res.Status)
	}
	return parseMetrics(res.Body)
}

func parseMetrics(from io.Reader) (map[string]float64, error) {
	out := map[string]float64{}
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if !ok || name == "#" || strings.Contains(name, "{") {
			continue
		}
		x, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return nil, fmt.Errorf("metric %s: %w", name, err)
		}
		out[name] = x
	}
	return out, lines.Err()
}
