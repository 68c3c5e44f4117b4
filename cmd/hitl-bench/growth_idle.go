package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
)

// idle watches what a service that has nothing to do costs: the process, the sessions that it has in Postgres, and a Redis that nobody else uses.
type idle struct {
	pid    int
	conn   *pgx.Conn
	redis  *redis.Client
	window time.Duration
}

// idleFigures are what idle.measure returns, named for the state that the service is in. Redis is asked for news of each queue, and nothing else may grow much:
// what a hundred queues cost together should not be a hundred times what one does.
func idleFigures(state string) []figure {
	cost := atMost(3)
	return []figure{
		{name: state + ": CPU of the service", unit: "s/min", reach: cost},
		{name: state + ": CPU of its sessions in Postgres", unit: "s/min", reach: cost},
		{name: state + ": CPU of Redis", unit: "s/min"},
		{name: state + ": transactions", unit: "1/s", reach: cost},
		{name: state + ": Redis commands", unit: "1/s"},
		{name: state + ": memory of the service", unit: "MiB", reach: cost},
	}
}

// spent is what was used up to a moment.
type spent struct {
	at                     time.Time
	service, redis         float64 // CPU seconds
	sessions               map[uint32]float64
	transactions, commands float64
}

// measure waits for the window and returns what it cost.
func (w *idle) measure(ctx context.Context) ([]float64, error) {
	before, err := w.read(ctx)
	if err != nil {
		return nil, err
	}
	select {
	case <-time.After(w.window):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	after, err := w.read(ctx)
	if err != nil {
		return nil, err
	}
	memory, err := residentMiB(w.pid)
	sessions := 0.0
	for pid, cpu := range after.sessions {
		sessions += cpu - before.sessions[pid] // one that began meanwhile has cost all that it has
	}
	seconds := after.at.Sub(before.at).Seconds()
	return []float64{
		60 * (after.service - before.service) / seconds, 60 * sessions / seconds, 60 * (after.redis - before.redis) / seconds,
		(after.transactions - before.transactions) / seconds, (after.commands - before.commands) / seconds, memory,
	}, err
}

func (w *idle) read(ctx context.Context) (spent, error) {
	s := spent{at: time.Now(), sessions: map[uint32]float64{}}
	var err error
	if s.service, err = processSeconds(w.pid); err != nil {
		return s, err
	}
	rows, err := w.conn.Query(ctx, `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	if err != nil {
		return s, err
	}
	pids, err := pgx.CollectRows(rows, pgx.RowTo[uint32])
	if err != nil {
		return s, err
	}
	for _, pid := range pids {
		if cpu, err := threadSeconds(pid); err == nil { // else it has ended
			s.sessions[pid] = cpu
		}
	}
	// Sessions tell what they did when they have been idle for a while: what the window misses at its end, it has from before its begin.
	err = w.conn.QueryRow(ctx, `SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()`).Scan(&s.transactions)
	if err != nil {
		return s, err
	}
	info, err := w.redis.Info(ctx, "cpu", "stats").Result()
	if err != nil {
		return s, fmt.Errorf("ask redis what it cost: %w", err)
	}
	s.redis = infoField(info, "used_cpu_sys") + infoField(info, "used_cpu_user")
	s.commands = infoField(info, "total_commands_processed")
	return s, nil
}

// processSeconds is the CPU time of a process with all its threads, those that have ended included, in steps of 10 ms.
func processSeconds(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, missing("it reads /proc, which this system has not: run it on Linux")
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the name before may hold anything but this
	fields := strings.Fields(rest)
	const utime, stime = 11, 12 // proc(5) counts from pid, 1: they are its 14 and 15
	if len(fields) <= stime {
		return 0, fmt.Errorf("read CPU time of process %d: %q", pid, text)
	}
	ticks := 0
	for _, at := range []int{utime, stime} {
		n, err := strconv.Atoi(fields[at])
		if err != nil {
			return 0, fmt.Errorf("read CPU time of process %d: %w", pid, err)
		}
		ticks += n
	}
	const ticksPerSecond = 100 // of what Linux shows, on every architecture that Go knows
	return float64(ticks) / ticksPerSecond, nil
}

// threadSeconds is the CPU time of a process of one thread, as Postgres' are, to the nanosecond.
func threadSeconds(pid uint32) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	if err != nil {
		return 0, fmt.Errorf("read CPU time: %w", err)
	}
	first, _, _ := strings.Cut(string(text), " ")
	ns, err := strconv.ParseFloat(first, 64)
	return ns / 1e9, err
}

// infoField is a number in what Redis' INFO answers; 0 where it is not there.
func infoField(info, name string) float64 {
	_, after, _ := strings.Cut(info, "\n"+name+":")
	value, _, _ := strings.Cut(after, "\r")
	v, _ := strconv.ParseFloat(value, 64)
	return v
}
