// Command hitl-bench measures hitl beside a peer or a limit, in the same run on the same machine, and prints how much of it is reached.
//
//	go run ./cmd/hitl-bench               # every row, five pairs of runs each
//	go run ./cmd/hitl-bench --list        # what there is, and what each needs
//	go run ./cmd/hitl-bench --only log --runs 9
//	go run ./cmd/hitl-bench --growth      # how cost grows: with queues, with processes, with a long log
//	go run ./cmd/hitl-bench --soak 30m    # no rows: one service under load for long; what grows, and whether anything was lost
//	go run ./cmd/hitl-bench --quick       # small sizes, under two minutes: shows that it works, and nothing else
//
// A figure in seconds says something of a machine; a ratio of two, taken in turns, says something of the software. Each row runs both sides
// one after the other, beginning with the other side each time, and prints the median of the pairs' ratios with the smallest and the largest.
// A row whose peer is not installed says what to install, and has no figure.
//
// Progress goes to standard error, the table, or with --json one object, to standard output. The exit code is 1 when a row failed to run;
// a ratio below its mark is no failure, since only who knows what else the machine did can judge it.
//
// Where to begin: row.go says what a row is, rows.go lists them; turns.go runs two sides in turns, spread.go sums up; machine.go and versions.go
// say what ran where; print.go prints. world.go and serve.go start what is measured. The rest is a file for each family of rows,
// growth*.go for the studies of --growth, and soak*.go for --soak.
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
	Only []string `placeholder:"NAME,…" help:"Only these rows, or with --growth these studies; see --list."`
	List bool     `help:"List the rows, and what each needs, and run nothing."`

	Growth bool          `help:"Measure how cost grows, with queues, processes and a long log, instead of the rows. Takes 25 minutes and 16 GB of disk."`
	Soak   time.Duration `placeholder:"TIME" help:"Instead of rows, run one service for so long at a share of its capacity, and look for what grows: 30m finds most leaks."`
	Share  float64       `default:"0.8" help:"With --soak: the share of the capacity, which is measured first (default ${default})."`

	Runs  int    `default:"0" placeholder:"N" help:"Pairs of runs of each row. Default: 5, and with --quick 2."`
	Quick bool   `help:"Small sizes: shows in under two minutes that every row runs. Its figures mean nothing."`
	JSON  bool   `help:"Print one JSON object instead of the table."`
	Cache string `default:".cache/bench" placeholder:"DIR" help:"Where fetch.sh has put the models and peers (default ${default})."`
	Hitl  string `placeholder:"FILE" help:"Serve with this binary. Default: build one."`
}

const quickRuns, fullRuns = 2, 5

// runs is how many pairs each row takes.
func (o *options) runs() (int, error) {
	switch {
	case o.Runs < 0:
		return 0, errors.New("--runs is negative")
	case o.Runs > 0 && o.Runs < fullRuns && !o.Quick:
		return 0, fmt.Errorf("--runs %d is too few to tell a difference from the machine's mood: take %d or more, or --quick", o.Runs, fullRuns)
	case o.Runs > 0:
		return o.Runs, nil
	case o.Quick:
		return quickRuns, nil
	}
	return fullRuns, nil
}

func main() {
	logging.Disable() // of go-redis: its clients outlive their servers for a moment at the end
	var o options
	kong.Parse(&o, kong.Name("hitl-bench"), kong.UsageOnError(),
		kong.Description("Measures hitl beside peers and limits, in turns, and prints the ratios with their spread."))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	do := run
	if o.Growth {
		do = runGrowth
	}
	err := do(ctx, o, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "hitl-bench: %v\n", err)
		os.Exit(1)
	}
}
