package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"hitl"
	"hitl/audit"
	"hitl/bot"
	"hitl/config"
	"hitl/ingest"
	"hitl/queue"
)

// service is all rooms put together as one configuration says.
type service struct {
	cfg       *config.Config
	logger    *slog.Logger
	metrics   *metrics
	telemetry *telemetry // nil: nothing is recorded
	drift     *driftGauges

	opener *modelOpener
	models map[string]*liveModel
	trust  *trust
	store  *audit.Store
	keys   *audit.Keyring
	queue  *queue.Client
	desk   *hitl.Desk
	bot    *bot.Bot
	sender *ingest.Sender
	api    http.Handler

	private net.Listener // of metrics and profiles; nil: none
}

// openService builds the service in the order in which its parts depend on each other; what was built is closed when a later part
// fails. Progress of downloads goes to progress.
func openService(ctx context.Context, cfg *config.Config, logger *slog.Logger, progress io.Writer) (_ *service, err error) {
	s := &service{cfg: cfg, logger: logger, metrics: newMetrics(), drift: newDriftGauges(time.Now), models: map[string]*liveModel{}}
	defer func() { //nolint:contextcheck // what is recorded is exported even when ctx is over
		if err != nil {
			s.close()
		}
	}()
	if s.telemetry, err = openTelemetry(ctx, cfg.Telemetry, logger, s.metrics); err != nil {
		return nil, err
	}
	storage := storeConfig(cfg, logger, s.metrics)
	storage.Tracing = s.telemetry.tracerProvider()
	if s.store, err = audit.Open(ctx, storage); err != nil {
		return nil, err
	}
	if err := s.checkDurability(ctx); err != nil {
		return nil, err
	}
	models, err := openRegistry(cfg)
	if err != nil {
		return nil, err
	}
	s.opener = &modelOpener{cfg: cfg, store: s.store, registry: models, metrics: s.metrics, logger: logger}
	if err := s.openModels(ctx, progress); err != nil { // they count their attempts in the store
		return nil, err
	}
	policies, err := buildPolicies(cfg, s.labels())
	if err != nil {
		return nil, err
	}
	if err := checkQueueLabels(cfg, s.labels()); err != nil {
		return nil, err
	}
	if err := s.saveVersions(ctx, policies); err != nil {
		return nil, err
	}
	s.trust = newTrust(cfg, s.store, logger, policies, s.models, s.opener)
	if err := s.trust.refresh(ctx); err != nil {
		return nil, err
	}
	if s.keys, err = s.store.Keyring(ctx); err != nil {
		return nil, err
	}
	if s.queue, err = openQueue(ctx, cfg, logger, s.telemetry.tracerProvider()); err != nil {
		return nil, err
	}
	s.desk = newDesk(cfg, s.store, logger)
	s.desk.Observer, s.desk.Tracer, s.desk.Waiting = s.metrics, s.telemetry.tracer(), waiting{s.queue}
	intake := &hitl.Intake{
		Sources: intakeSources(cfg, s.trust), Queues: queueRules(cfg), Ledger: s.store, Waiting: waiting{s.queue},
		Masters: s.store, Normal: normalText, Observer: s.metrics, Tracer: s.telemetry.tracer(), Logger: logger, Now: time.Now,
	}
	if s.bot, err = bot.New(botConfig(cfg, s, intake)); err != nil {
		return nil, fmt.Errorf("configure slack: %w", err)
	}
	if s.sender, err = ingest.NewSender(senderConfig(cfg, logger)); err != nil {
		return nil, err
	}
	s.metrics.registry.MustRegister(newGauges(s), s.drift)
	if s.api, err = ingest.New(ingestConfig(cfg, s, intake)); err != nil { //nolint:contextcheck // a handler gets its requests' contexts
		return nil, err
	}
	if s.private, err = listenPrivately(ctx, cfg.Server.MetricsListen); err != nil {
		return nil, err
	}
	return s, nil
}

// newDesk makes the desk of a configuration, for the service and for commands that decide beside it.
func newDesk(cfg *config.Config, store *audit.Store, logger *slog.Logger) *hitl.Desk {
	return &hitl.Desk{
		Decisions: store, Reveals: store, Claims: store, Skips: store, Panels: store, Twins: store, Reopens: store, Followers: store, Notes: store,
		Timers: store, Pauses: store, Orders: store, Queues: queueRules(cfg), Callbacks: calledBack(cfg), Amends: amended(cfg), Logger: logger, Now: time.Now,
	}
}

// checkDurability refuses a Postgres whose commits are no promise: each answer of the service would pass one on.
func (s *service) checkDurability(ctx context.Context) error {
	err := s.store.CheckDurability(ctx)
	if !errors.Is(err, audit.ErrNotDurable) {
		return err
	}
	if !s.cfg.Postgres.AcceptDataLoss {
		return fmt.Errorf("%w; turn it on, or set postgres.accept_data_loss: true if losing acknowledged items and decisions is fine", err)
	}
	s.logger.WarnContext(ctx, "acknowledged items and decisions may be lost, as postgres.accept_data_loss allows", "error", err)
	return nil
}

// close closes what was opened, the stores after what uses them, and the telemetry of all at the end. Nothing may use the service any more.
func (s *service) close() {
	if s.private != nil {
		_ = s.private.Close() // its server may have closed it already
	}
	for _, name := range slices.Sorted(maps.Keys(s.models)) {
		if err := s.models[name].close(); err != nil {
			s.logger.Error("close classifier", "classifier", name, "error", err)
		}
	}
	if s.sender != nil {
		s.sender.Close()
	}
	if s.queue != nil {
		if err := s.queue.Close(); err != nil {
			s.logger.Error("close queue", "error", err)
		}
	}
	if s.store != nil {
		s.store.Close()
	}
	s.telemetry.close()
}

// Run serves on the listener until ctx ends, then stops in order: first it takes no more requests and answers those it has, then
// posters, reconciler and effects finish what they hold, then models and stores close. The service cannot be used after that.
func (s *service) Run(ctx context.Context, l net.Listener) error {
	defer s.close()                    //nolint:contextcheck // ctx is over by then
	servers, listeners := s.servers(l) //nolint:contextcheck // they outlive ctx: Shutdown ends them
	front, frontDone := errgroup.WithContext(ctx)
	for i, server := range servers {
		front.Go(func() error {
			if err := server.Serve(listeners[i]); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve %s: %w", listeners[i].Addr(), err)
			}
			return nil
		})
	}
	// Workers outlive the servers, which may still hold requests that need them.
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	workers, work := errgroup.WithContext(work)
	for _, run := range []func(context.Context) error{s.bot.Run, s.reconcile, s.runEffects, s.sequence, s.keys.Run, s.trust.Run} {
		workers.Go(func() error { return run(work) })
	}
	s.logger.InfoContext(ctx, "serving", "address", l.Addr().String(), "metrics", s.metricsAddr(), "version", buildVersion(), "models", s.engines())

	select {
	case <-frontDone.Done(): // told to stop, or a server failed
	case <-work.Done(): // a worker failed
	}
	s.logger.InfoContext(ctx, "stopping")
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Server.ShutdownTimeout)
	defer cancel()
	var errs []error
	for _, server := range servers {
		if err := server.Shutdown(deadline); err != nil {
			errs = append(errs, fmt.Errorf("stop server: %w", err), server.Close())
		}
	}
	errs = append(errs, front.Wait())
	stopWork()
	if err := workers.Wait(); !errors.Is(err, context.Canceled) { // which is how workers that were told to stop may put it
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// servers returns the server of the API and Slack's requests, which serves l, and that of the metrics, if there is one.
func (s *service) servers(l net.Listener) ([]*http.Server, []net.Listener) {
	handler := http.NewServeMux()
	handler.Handle("/slack/", s.bot.Handler())
	handler.Handle("/", s.telemetry.around(s.api))
	servers, listeners := []*http.Server{s.newServer(handler)}, []net.Listener{l}
	if s.private != nil {
		servers, listeners = append(servers, s.newServer(s.privateHandler())), append(listeners, s.private)
	}
	return servers, listeners
}

func (s *service) newServer(handler http.Handler) *http.Server {
	server, cfg := ingest.NewServer("", handler), s.cfg.Server
	server.ReadHeaderTimeout, server.ReadTimeout = cfg.ReadHeaderTimeout, cfg.ReadTimeout
	server.WriteTimeout, server.IdleTimeout = cfg.WriteTimeout, cfg.IdleTimeout
	server.ErrorLog = slog.NewLogLogger(s.logger.Handler(), slog.LevelWarn)
	return server
}

func (s *service) engines() map[string]string {
	out := map[string]string{}
	for name, m := range s.models {
		out[name] = m.describe(s.cfg.Classifiers[name].Model)
	}
	return out
}
