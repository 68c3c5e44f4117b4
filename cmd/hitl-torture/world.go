package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/mod/sumdb/note"

	"hitl/bot/slacksim"
	"hitl/deploy/local"
)

// world is everything that runs: servers, replicas, Slack, the upstreams.
type world struct {
	dir         string
	postgres    *local.Postgres
	redis       *local.Redis
	redisClient *redis.Client // of ours, around the proxy
	slack       *workspace
	sink        *sink
	proxies     map[string]*proxy // postgres, redis, slack, front
	replicas    []*replica
	upstreams   map[string]*upstream
	team        *team
	witness     *witness
	health      *health
	hist        *history
	feeds       []feed

	stops []func(context.Context) error // in the order of starting
}

func (w *world) onStop(f func(context.Context) error) { w.stops = append(w.stops, f) }

// stop stops everything, the last first.
func (w *world) stop(ctx context.Context) error {
	var errs []error
	for _, f := range slices.Backward(w.stops) {
		errs = append(errs, f(ctx))
	}
	w.stops = nil
	return errors.Join(errs...)
}

// startWorld starts everything and returns when every replica is ready. What was started is stopped by stop, also after an error.
func (w *world) start(ctx context.Context, o options, say func(string, ...any)) error {
	bin, err := w.binary(ctx, o.Hitl, say)
	if err != nil {
		return err
	}
	if err := w.startServers(ctx, say); err != nil {
		return err
	}
	s := settings{
		MigrateURL: w.postgres.DSN(), RedisPassword: w.redis.Password(), CallbackSecret: newWebhookSecret(), Feeds: w.feeds,
		FirstReviewer: reviewers()[0], ReviewerGroupName: reviewerGroup,
	}
	if w.slack, err = startSlack(ctx, s.Feeds, o.Socket); err != nil {
		return err
	}
	w.onStop(func(context.Context) error { w.slack.close(); return nil })
	if w.sink, err = startSink(ctx, s.CallbackSecret, w.hist); err != nil {
		return err
	}
	w.onStop(func(context.Context) error { w.sink.close(); return nil })
	if err := w.startProxies(ctx, o.Replicas); err != nil {
		return err
	}
	s.CallbackURL, s.BotToken, s.Signing = w.sink.url, w.slack.sim.Token(), w.slack.sim.SigningSecret()
	if o.Socket {
		s.AppToken = w.slack.sim.AppToken()
	}
	s.RedisAddr, s.SlackAPI = w.proxies["redis"].addr(), "http://"+w.proxies["slack"].addr()+"/api/"
	if s.PostgresURL, err = through(w.postgres.DSN(), w.proxies["postgres"].addr()); err != nil {
		return err
	}
	front := "http://" + w.proxies["front"].addr()
	w.slack.sim.SetBaseURL("http://" + w.proxies["slack"].addr())
	w.slack.sim.SetEndpoints(slacksim.Endpoints{Interactivity: front + "/slack/interactivity", Commands: front + "/slack/commands"})
	w.upstreams = map[string]*upstream{}
	for _, f := range s.Feeds {
		w.upstreams[f.Name] = newUpstream(f, front, w.hist)
	}
	w.team = newTeam(w.slack, w.hist)
	var verifier note.Verifier
	if s.LogKey, verifier, err = newLogKey(); err != nil {
		return err
	}
	w.witness, w.health = newWitness(front, verifier), newHealth()
	return w.startReplicas(ctx, bin, s, say)
}

// feed is the source of that name.
func (w *world) feed(name string) feed {
	return w.feeds[slices.IndexFunc(w.feeds, func(f feed) bool { return f.Name == name })]
}

// binary builds hitl, unless one was named.
func (w *world) binary(ctx context.Context, named string, say func(string, ...any)) (string, error) {
	if named != "" {
		return filepath.Abs(named)
	}
	say("building hitl")
	bin := filepath.Join(w.dir, "hitl")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", bin, "hitl/cmd/hitl").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build hitl: %w\n%s", err, out)
	}
	return bin, nil
}

func (w *world) startServers(ctx context.Context, say func(string, ...any)) (err error) {
	say("starting postgres and redis")
	if w.postgres, err = local.StartPostgres(ctx, local.PostgresOptions{Dir: filepath.Join(w.dir, "postgres"), Durable: true}); err != nil {
		return err
	}
	w.onStop(w.postgres.Stop)
	if w.redis, err = local.StartRedis(ctx, local.RedisOptions{Dir: filepath.Join(w.dir, "redis"), NoStandIn: true}); err != nil {
		return err
	}
	w.onStop(w.redis.Stop)
	w.redisClient = redis.NewClient(&redis.Options{Addr: w.redis.Addr(), Password: w.redis.Password(), MaxRetries: -1, DialerRetries: 1})
	w.onStop(func(context.Context) error { return w.redisClient.Close() })
	return nil
}

func (w *world) startProxies(ctx context.Context, replicas int) error {
	u, err := url.Parse(w.postgres.DSN())
	if err != nil {
		return fmt.Errorf("postgres address: %w", err)
	}
	targets := map[string][]string{"postgres": {u.Host}, "redis": {w.redis.Addr()}, "slack": {w.slack.addr}}
	for i := range replicas {
		port, err := freePort(ctx)
		if err != nil {
			return err
		}
		r := &replica{name: "replica " + strconv.Itoa(i+1), url: "http://" + port}
		w.replicas = append(w.replicas, r)
		targets["front"] = append(targets["front"], port)
	}
	w.proxies = map[string]*proxy{}
	for name, to := range targets {
		p, err := newProxy(ctx, to...)
		if err != nil {
			return err
		}
		w.proxies[name] = p
		w.onStop(func(context.Context) error { p.close(); return nil })
	}
	return nil
}

// freePort returns a loopback address that is free now.
func freePort(ctx context.Context) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// through is a Postgres URL as the service's role connects, by way of a proxy.
func through(dsn, addr string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return "", fmt.Errorf("postgres address: %w", err)
	}
	u.Host, u.User = addr, url.UserPassword("hitl_service", strconv.FormatUint(rand.Uint64(), 36))
	return u.String(), nil
}

// startReplicas makes the schema, starts the replicas and waits until they are ready.
func (w *world) startReplicas(ctx context.Context, bin string, s settings, say func(string, ...any)) error {
	for i, r := range w.replicas {
		u, err := url.Parse(r.url)
		if err != nil {
			return err
		}
		s.Listen = u.Host
		r.bin, r.say = bin, say
		r.conf = filepath.Join(w.dir, fmt.Sprintf("replica%d.yaml", i+1))
		r.log = filepath.Join(w.dir, fmt.Sprintf("replica%d.log", i+1))
		if err := s.write(r.conf); err != nil {
			return err
		}
	}
	if out, err := exec.CommandContext(ctx, bin, "--config", w.replicas[0].conf, "migrate").CombinedOutput(); err != nil {
		return fmt.Errorf("migrate: %w\n%s", err, out)
	}
	say("starting %d replicas", len(w.replicas))
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	var group sync.WaitGroup
	errs := make([]error, len(w.replicas))
	for i, r := range w.replicas {
		group.Go(func() { errs[i] = r.run(running) })
	}
	w.onStop(func(context.Context) error {
		stop()
		group.Wait()
		return errors.Join(errs...)
	})
	return w.ready(ctx)
}

// ready waits until every replica is ready, a minute at most.
func (w *world) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	client := &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for _, r := range w.replicas {
		if err := r.awaitReady(ctx, client); err != nil {
			return err
		}
	}
	return nil
}

// dataDir makes the folder of a run. Postgres runs as another user when this is root, so that user must be able to pass through.
func dataDir(keep string) (string, error) {
	if keep != "" {
		abs, err := filepath.Abs(keep)
		if err != nil {
			return "", err
		}
		return abs, os.MkdirAll(abs, 0o755)
	}
	dir, err := os.MkdirTemp("", "hitl-torture-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}
