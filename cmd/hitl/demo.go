package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"hitl"
	"hitl/config"
	"hitl/deploy/local"
)

type demoCmd struct {
	Listen      string  `default:"127.0.0.1:8080" placeholder:"ADDR" help:"Where the service listens; port 0 picks a free one (default ${default})."`
	SlackListen string  `default:"127.0.0.1:8081" placeholder:"ADDR" help:"Where the local Slack and its page listen (default ${default})."`
	Data        string  `placeholder:"DIR" help:"Keep the data here between runs. Default: a temporary folder, removed at the end."`
	Feed        int     `default:"12" placeholder:"N" help:"Sample items per minute; 0 for none (default ${default})."`
	Threshold   float64 `default:"0.85" placeholder:"SHARE" help:"Confidence below which an item goes to a reviewer (default ${default})."`
	Verbose     bool    `short:"v" help:"Log what the service does."`
}

// Run starts, in this order: Postgres, Redis, the upstream that takes callbacks, the Slack simulator, the service, the feed. It
// stops them in the opposite order.
func (c *demoCmd) Run(ctx context.Context, p program) (err error) {
	if c.Threshold < 0 || c.Threshold > 1 {
		return usageError{fmt.Errorf("--threshold %v: want a share from 0 to 1", c.Threshold)}
	}
	if c.Feed < 0 {
		return usageError{fmt.Errorf("--feed %d: want 0 or more items a minute", c.Feed)}
	}
	level := slog.LevelWarn
	if c.Verbose {
		level = slog.LevelInfo
	}
	d := &demo{cmd: c, program: p, logger: slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: level}))}
	defer func() {
		if stopErr := d.stop(context.WithoutCancel(ctx)); stopErr != nil && err == nil {
			err = fmt.Errorf("stop demo: %w", stopErr)
		}
	}()
	return d.run(ctx)
}

// demo is a running demo: what it started, and how to stop it.
type demo struct {
	cmd     *demoCmd
	program program
	logger  *slog.Logger
	stops   []func(context.Context) error // in the order of starting
}

func (d *demo) onStop(f func(context.Context) error) { d.stops = append(d.stops, f) }

// stop stops what was started, the last first, each within 20 seconds.
func (d *demo) stop(ctx context.Context) error {
	var errs []error
	for _, f := range slices.Backward(d.stops) {
		limited, cancel := context.WithTimeout(ctx, 20*time.Second)
		errs = append(errs, f(limited))
		cancel()
	}
	return errors.Join(errs...)
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.program.stderr, format+"\n", args...) }

func (d *demo) run(ctx context.Context) error {
	dir, err := d.dataDir()
	if err != nil {
		return err
	}
	// Sockets first: a taken port should not cost a Postgres start.
	service, err := listen(ctx, d.cmd.Listen)
	if err != nil {
		return err
	}
	d.onStop(closer(service))
	slack, err := listen(ctx, d.cmd.SlackListen)
	if err != nil {
		return err
	}
	d.onStop(closer(slack))

	secrets, err := loadDemoSecrets(dir)
	if err != nil {
		return err
	}
	settings := demoSettings{demoSecrets: secrets, BotToken: demoBotToken, Threshold: d.cmd.Threshold}
	if err := d.startServers(ctx, dir, &settings); err != nil {
		return err
	}
	upstream, err := listenReceiver(ctx, secrets.Callback, d.logger, d.tellCallback)
	if err != nil {
		return err
	}
	d.onStop(func(context.Context) error { return upstream.close() })

	settings.Listen = service.Addr().String()
	settings.Service, settings.Slack, settings.Upstream = "http://"+service.Addr().String(), "http://"+slack.Addr().String(), upstream.url
	if err := d.startSlack(ctx, slack, settings, dir); err != nil {
		return err
	}
	file := filepath.Join(dir, "hitl.yaml")
	if err := settings.write(file); err != nil {
		return err
	}
	cfg, err := config.Load(file, d.program.env)
	if err != nil {
		return fmt.Errorf("demo configuration: %w", err)
	}
	if err := migrate(ctx, cfg, io.Discard); err != nil {
		return err
	}
	svc, err := openService(ctx, cfg, d.logger, d.program.stderr)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return svc.Run(ctx, service) })
	group.Go(func() error {
		if err := waitReady(ctx, settings.Service+"/readyz", svc.bot.Ready); err != nil || ctx.Err() != nil {
			return err // nil when it was stopped while starting
		}
		d.welcome(settings, svc.metricsAddr(), file)
		return d.feed(ctx, settings.Service, settings.Key)
	})
	return group.Wait()
}

func (d *demo) dataDir() (string, error) {
	if d.cmd.Data != "" {
		dir, err := filepath.Abs(d.cmd.Data)
		if err != nil {
			return "", fmt.Errorf("data folder: %w", err)
		}
		return dir, os.MkdirAll(dir, 0o755)
	}
	dir, err := os.MkdirTemp("", "hitl-demo-")
	if err != nil {
		return "", fmt.Errorf("make data folder: %w", err)
	}
	d.onStop(func(context.Context) error { return os.RemoveAll(dir) })
	return dir, os.Chmod(dir, 0o755) // Postgres runs as another user when this is root
}

// startServers starts Postgres and Redis and says in settings how to reach them.
func (d *demo) startServers(ctx context.Context, dir string, settings *demoSettings) error {
	pg, err := local.StartPostgres(ctx, local.PostgresOptions{
		Dir: filepath.Join(dir, "postgres"), Logger: d.logger, Progress: d.program.stderr, Durable: true,
	})
	if err != nil {
		return err
	}
	d.onStop(pg.Stop)
	rd, err := local.StartRedis(ctx, local.RedisOptions{Dir: filepath.Join(dir, "redis"), Logger: d.logger})
	if err != nil {
		return err
	}
	d.onStop(rd.Stop)
	d.say("runs on %s and %s", pg.Kind(), rd.Kind())
	settings.MigrateURL, settings.RedisAddr, settings.RedisPassword = pg.DSN(), rd.Addr(), rd.Password()
	settings.PostgresURL, err = withUser(pg.DSN(), "hitl_service", settings.Role)
	return err
}

func (d *demo) tellCallback(item hitl.CallbackItem) {
	by := "the model"
	if item.Reviewer != "" {
		by = item.Reviewer
	}
	d.say("upstream was called back: %s %s %s by %s", printable(item.ExternalID), item.Status, printable(item.Label), by)
}

func (d *demo) welcome(s demoSettings, metrics, file string) {
	fmt.Fprintf(d.program.stdout, `ready service=%[1]s slack=%[2]s

  Slack     %[2]s   (open it, and click; switch between reviewers at the bottom left)
  API       %[1]s/docs
  metrics   http://%[5]s/metrics
  config    %[3]s   (hitl --config %[3]s stats)

  Post an item that the model is not sure of:

    curl -s %[1]s/v1/items -H 'Authorization: Bearer %[4]s' -H 'Content-Type: application/json' \
      -d '{"id":"order-1","text":"I expected more, though the staff were kind."}'

  Stop with Ctrl-C.
`, s.Service, s.Slack, file, s.Key, metrics)
}

func listen(ctx context.Context, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w (choose another with --listen or --slack-listen; port 0 picks a free one)", addr, err)
	}
	return l, nil
}

// closer closes a listener that its server may have closed already.
func closer(l net.Listener) func(context.Context) error {
	return func(context.Context) error {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
}

// waitReady returns when the service answers that it is ready, and so does the bot, or when ctx ends.
func waitReady(ctx context.Context, url string, botReady func() error) error {
	client := &http.Client{Timeout: 2 * time.Second}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		if resp, err := client.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK && botReady() == nil {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
