// Command hitl-torture tries to make hitl lose something, and reports what it found.
//
//	go run ./cmd/hitl-torture --minutes 10 --seed 1
//
// It starts the real `hitl serve` as child processes, a real Postgres that keeps its promises to the disk, a real Redis, a simulated Slack
// and an upstream that takes callbacks. Sources post items and reviewers click, several on one card at times: they undo decisions, whose callbacks
// wait or are amended, claim reviews and leave them lying, and judge in panels. Meanwhile, at
// random points that the seed fixes, processes are killed, servers stopped and emptied, connections cut, and Slack and the upstream
// misbehave in every way we know. Then everything is healed, things settle within a bounded time, and what is there is compared, from the
// outside, with the harness's own record of what was acknowledged, and with the log's checkpoints that were shown on the way.
//
// Progress goes to standard error. Standard output gets one JSON object, the [report]. The exit code is 1 when anything was lost,
// decided twice, left dead on a screen, or not told to the upstream.
//
// The seed fixes which faults happen, when, and how long. The interleaving of processes stays the machine's.
//
// Where to begin: torture.go is the order of a run; world.go and replica.go what is started; sources.go and reviewers.go (with undo.go, claims.go, votes.go) who uses it;
// faults.go what goes wrong; history.go and witness.go the record; checks.go, rounds.go, linear.go, commands.go and health.go what must hold.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/redis/go-redis/v9/logging"
)

// options are the command line.
type options struct {
	Minutes  float64       `default:"0" placeholder:"N" help:"How long things go wrong, in minutes. Default: 1.5, with --seconds 0."`
	Seconds  float64       `default:"0" placeholder:"N" help:"The same in seconds; both add up."`
	Seed     uint64        `default:"1" help:"Fixes which faults happen and when (default ${default})."`
	Replicas int           `default:"2" help:"How many processes serve (default ${default})."`
	Socket   bool          `help:"Slack speaks over Socket Mode instead of HTTP, and its connections fail, too."`
	Faults   []string      `placeholder:"KIND,…" help:"Only these kinds of faults. Default: all. \"none\" for none."`
	Settle   time.Duration `default:"0s" help:"How long things may take to settle afterwards. Default: 4m and half as long as things went wrong."`
	Rate     float64       `default:"0.8" help:"Items per second from each of three sources, and half as many from a fourth, whose reviews take panels (default ${default})."`
	Hitl     string        `placeholder:"FILE" help:"Use this binary. Default: build one."`
	Keep     string        `placeholder:"DIR" help:"Keep data and logs here. Default: a temporary folder, removed unless something was found."`
}

func (o *options) duration() time.Duration {
	d := time.Duration((o.Minutes*60 + o.Seconds) * float64(time.Second))
	if d <= 0 {
		d = 90 * time.Second
	}
	return d
}

func (o *options) settle() time.Duration {
	if o.Settle > 0 {
		return o.Settle
	}
	return 4*time.Minute + o.duration()/2
}

// errFound ends a run that found something wrong; the report says what.
var errFound = errors.New("something was lost or is wrong; see the report")

func main() {
	logging.Disable() // of go-redis: its clients meet dead servers here, on purpose
	var o options
	kong.Parse(&o, kong.Name("hitl-torture"), kong.UsageOnError(),
		kong.Description("Kills, cuts and confuses a running hitl, and checks that nothing acknowledged is lost."))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := torture(ctx, o, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "hitl-torture: %v\n", err)
		os.Exit(1)
	}
}
