package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"

	"hitl"
	"hitl/audit"
	"hitl/bot"
	"hitl/classifier"
	"hitl/classifier/policy"
	"hitl/config"
	"hitl/ingest"
	"hitl/queue"
)

// This file says what each room takes from the configuration. Rooms don't know package config, and it doesn't know them.

func classifierOptions(cfg *config.Config, name string, logger *slog.Logger, progress io.Writer) classifier.Options {
	c := cfg.Classifiers[name]
	return classifier.Options{
		Model: c.Model, Network: c.Network, ONNXRuntime: c.ONNXRuntime, Threads: c.Threads, CacheSize: c.CacheSize, MaxBatch: c.MaxBatch, MaxWait: c.MaxWait, QueueSize: c.QueueSize,
		Timeout: c.Timeout, MaxAttempts: c.MaxAttempts, CacheDir: c.CacheDir, HubURL: c.HubURL, HubToken: c.HubToken.Reveal(),
		Progress: progress, Logger: logger,
	}
}

func (s *service) openModels(ctx context.Context, progress io.Writer) error {
	promoted, err := promotedVersions(ctx, s.cfg, s.store)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Classifiers)) {
		m, err := s.openModel(ctx, name, promoted[name], progress)
		if err != nil {
			return fmt.Errorf("classifier %q: %w", name, err)
		}
		s.models[name] = m
	}
	return nil
}

// openModel opens what runs for a classifier: the version that was promoted, if there is one and it runs, behind the small model of its cascade.
func (s *service) openModel(ctx context.Context, name, promoted string, progress io.Writer) (_ *liveModel, err error) {
	labels := s.cfg.Classifiers[name].Labels
	small, err := s.opener.small(ctx, name, progress)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil && small != nil {
			err = errors.Join(err, small.Close())
		}
	}()
	live := func(c *classifier.Classifier, version string, err error) (*liveModel, error) {
		if err != nil {
			return nil, err
		}
		m, err := newLiveModel(small, c, version, labels)
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
		return m, nil
	}
	if promoted != "" {
		c, err := s.opener.promoted(ctx, name, promoted)
		m, err := live(c, promoted, err)
		if err == nil {
			return m, nil
		}
		s.logger.ErrorContext(ctx, "a promoted model does not open; the configured one runs", "classifier", name, "version", promoted, "error", err)
	}
	c, err := s.opener.configured(ctx, name, progress)
	return live(c, "", err)
}

// modelsReady says which models hang.
func (s *service) modelsReady(context.Context) error {
	for name, m := range s.models {
		if m.stuck() {
			return fmt.Errorf("classifier %q does not answer", name)
		}
	}
	return nil
}

// labels returns the labels of every open model.
func (s *service) labels() map[string][]string {
	out := map[string][]string{}
	for name, m := range s.models {
		out[name] = m.Labels()
	}
	return out
}

// untrained says whether a policy judges what a classifier says for which no model is configured. It accepts nothing but what was promised.
func untrained(cfg *config.Config, policy string) bool {
	for _, s := range cfg.Sources {
		if s.Policy == policy && cfg.Classifiers[s.Classifier].Model == "" {
			return true
		}
	}
	return false
}

func policySpec(cfg *config.Config, name string) policy.Spec {
	p := cfg.Policies[name]
	if untrained(cfg, name) {
		p.Threshold, p.LabelThresholds = hitl.NoConfidence, nil
	}
	spec := policy.Spec{
		Name: name, Threshold: &p.Threshold, LabelThresholds: p.LabelThresholds, AlwaysReview: p.AlwaysReview, Queue: p.Queue,
		Sample: policy.Sample{Rate: p.Sample.Rate, Key: []byte(p.Sample.Key.Reveal()), Queue: p.Sample.Queue},
	}
	for _, r := range p.Rules {
		spec.Rules = append(spec.Rules, policy.Rule{
			Name: r.Name, When: r.When, Queue: r.Queue, Priority: hitl.Priority(r.Priority), Description: r.Description,
		})
	}
	return spec
}

// buildPolicies compiles all policies and, where the labels of a source's classifier are known, checks that the policy names no others.
func buildPolicies(cfg *config.Config, labels map[string][]string) (map[string]*policy.Policy, error) {
	policies := map[string]*policy.Policy{}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(cfg.Policies)) {
		p, err := policy.New(policySpec(cfg, name))
		if err != nil {
			errs = append(errs, fmt.Errorf("policy %q: %w", name, err))
			continue
		}
		policies[name] = p
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Sources)) {
		source := cfg.Sources[name]
		p, known := policies[source.Policy], labels[source.Classifier]
		if p == nil || known == nil {
			continue
		}
		if err := p.CheckLabels(known); err != nil {
			errs = append(errs, fmt.Errorf("source %q: policy %q does not fit classifier %q: %w", name, source.Policy, source.Classifier, err))
		}
	}
	return policies, errors.Join(errs...)
}

// saveVersions keeps the text of every policy and the facts of every model that the log will name.
func (s *service) saveVersions(ctx context.Context, policies map[string]*policy.Policy) error {
	for name, p := range policies {
		if err := s.store.SavePolicy(ctx, name, p.Version(), p.Text()); err != nil {
			return err
		}
	}
	for name, m := range s.models {
		v := audit.ModelVersion{Version: m.Version(), Classifier: name, Labels: m.Labels(), Engine: m.engine()}
		if err := s.store.SaveModel(ctx, v); err != nil {
			return err
		}
		if m.small == nil {
			continue
		}
		v.Version, v.Engine = m.small.Version(), m.small.Engine()
		if err := s.store.SaveModel(ctx, v); err != nil {
			return err
		}
	}
	return nil
}

func storeConfig(cfg *config.Config, logger *slog.Logger, observer audit.Observer) audit.Config {
	return audit.Config{
		DSN: cfg.Postgres.URL.Reveal(), MaxConns: cfg.Postgres.MaxConns, CallbackRetries: cfg.Callbacks.Schedule,
		// An attempt at a callback may take its own timeout and the time around it.
		EffectTimeout: max(30*time.Second, cfg.Callbacks.Timeout+10*time.Second),
		Observer:      observer, Logger: logger,
	}
}

// openQueue connects to Redis; tracing may be nil.
func openQueue(ctx context.Context, cfg *config.Config, logger *slog.Logger, tracing trace.TracerProvider) (*queue.Client, error) {
	r := cfg.Redis
	out := queue.Config{
		Addrs: r.Addrs, Mode: queue.Mode(r.Mode), MasterName: r.MasterName, Username: r.Username, Password: r.Password.Reveal(),
		SentinelPassword: r.SentinelPassword.Reveal(), DB: r.DB, Prefix: r.KeyPrefix, Waiters: len(cfg.Queues), Tracing: tracing, Logger: logger,
	}
	if r.TLS.Enabled {
		out.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: r.TLS.ServerName}
		if r.TLS.CAFile != "" {
			pem, err := os.ReadFile(r.TLS.CAFile)
			if err != nil {
				return nil, fmt.Errorf("redis.tls.ca_file: %w", err)
			}
			out.TLS.RootCAs = x509.NewCertPool()
			if !out.TLS.RootCAs.AppendCertsFromPEM(pem) {
				return nil, fmt.Errorf("redis.tls.ca_file: %s holds no PEM certificate", r.TLS.CAFile)
			}
		}
	}
	return queue.Open(ctx, out)
}

// slackConfig is what the bot takes from the configuration alone.
func slackConfig(cfg *config.Config) bot.Config {
	queues := map[string]bot.Queue{}
	for name, q := range cfg.Queues {
		queues[name] = bot.Queue{
			Channel: q.Channel, Reviewers: reviewers(q), Owners: bot.Owners(q.Owners), Adjudicators: adjudicators(q),
			OpenLimit: q.OpenLimit, BatchLimit: q.BatchLimit, Reasons: q.Reasons, Redact: q.Redact, RedactPatterns: q.RedactPatterns,
			Sensitive: q.Sensitive, Distressing: q.Distressing,
		}
	}
	var secrets []string // none with Socket Mode alone
	if s := cfg.Slack.SigningSecret; !s.IsZero() {
		secrets = append(secrets, s.Reveal())
	}
	if old := cfg.Slack.OldSigningSecret; !old.IsZero() {
		secrets = append(secrets, old.Reveal())
	}
	return bot.Config{
		Token: cfg.Slack.BotToken.Reveal(), AppToken: cfg.Slack.AppToken.Reveal(), SocketConnections: cfg.Slack.SocketConnections,
		SigningSecrets: secrets, Team: cfg.Slack.Team, APIURL: cfg.Slack.APIURL, Language: cfg.Slack.Language, Queues: queues,
		ShortcutSources: cfg.Slack.ShortcutSources,
		Rotation: bot.Rotation{
			RefreshToken: cfg.Slack.RefreshToken.Reveal(), ClientID: cfg.Slack.ClientID, ClientSecret: cfg.Slack.ClientSecret.Reveal(),
		},
		HTTPClient: &http.Client{Timeout: 10 * time.Second},
	}
}

func botConfig(cfg *config.Config, s *service, intake *hitl.Intake) bot.Config {
	out := slackConfig(cfg)
	out.Intake = intake
	out.Desk, out.Cards, out.Waiting, out.Stats, out.Replays = s.desk, s.store, waiting{s.queue}, statistics{s.store}, s.queue
	out.Findings = taught{cfg, s.store}
	out.Details, out.Lists, out.Rules, out.Policies = s.store, s.store, s.trust.Rules, s.trust.Policies
	out.Proposals = s.store
	out.Observer, out.Tracing, out.Logger = s.metrics, s.telemetry.tracerProvider(), s.logger
	if out.Rotation.RefreshToken != "" {
		out.Rotation.Tokens = s.store
	}
	return out
}

func senderConfig(cfg *config.Config, logger *slog.Logger) ingest.SenderConfig {
	targets := map[string]ingest.Target{}
	for name, s := range cfg.Sources {
		if s.Callback != nil {
			target := ingest.Target{URL: s.Callback.URL, Secrets: []ingest.Secret{ingest.Secret(s.Callback.Secret.Reveal())}}
			if old := s.Callback.OldSecret; !old.IsZero() {
				target.Secrets = append(target.Secrets, ingest.Secret(old.Reveal()))
			}
			targets[name] = target
		}
	}
	if a := cfg.Audit; a.AnchorURL != "" {
		targets[anchorTarget] = ingest.Target{URL: a.AnchorURL, Secrets: []ingest.Secret{ingest.Secret(a.AnchorSecret.Reveal())}}
	}
	return ingest.SenderConfig{
		Targets: targets, AllowHTTP: cfg.Callbacks.AllowHTTP, AllowPrivate: cfg.Callbacks.AllowPrivate, Timeout: cfg.Callbacks.Timeout,
		Version: buildVersion(), Logger: logger,
	}
}

func intakeSources(cfg *config.Config, t *trust) map[string]hitl.Source {
	out := map[string]hitl.Source{}
	for name, s := range cfg.Sources {
		out[name] = hitl.Source{
			Classifier: s.Classifier, Model: t.models[s.Classifier], Policy: t.policies[s.Policy],
			Callback: s.Callback != nil, CallbackOnSure: s.Callback != nil && s.Callback.AIAccepted, Backlog: s.Backlog,
		}
	}
	return out
}

// calledBack returns the sources whose upstream is told of decisions.
func calledBack(cfg *config.Config) map[string]bool {
	out := map[string]bool{}
	for name, s := range cfg.Sources {
		out[name] = s.Callback != nil
	}
	return out
}

// amended returns the sources that are told of a decision at once, and again when it is undone.
func amended(cfg *config.Config) map[string]bool {
	out := map[string]bool{}
	for name, s := range cfg.Sources {
		out[name] = s.Callback != nil && s.Callback.Undo == "amend"
	}
	return out
}

// reviewers returns who decides a queue's reviews.
func reviewers(q config.Queue) bot.Reviewers {
	out := bot.Reviewers{Users: q.Reviewers.Users, Groups: q.Reviewers.Groups}
	if q.Reviewers.ChannelMembers {
		out.MembersOf = q.Channel
	}
	return out
}

func adjudicators(q config.Queue) bot.Reviewers {
	if q.Panel == nil {
		return bot.Reviewers{}
	}
	return bot.Reviewers{Users: q.Panel.Adjudicators.Users, Groups: q.Panel.Adjudicators.Groups}
}

func ingestConfig(cfg *config.Config, s *service, intake *hitl.Intake) ingest.Config {
	return ingest.Config{
		Intake: intake, Records: statistics{s.store}, Sources: ingestSources(cfg), Keys: s.keys, Observe: s.metrics.request, RateLimited: s.metrics.rateLimited,
		Logger: s.logger, Version: buildVersion(), MaxBody: int64(cfg.Server.MaxBody),
		// What intake cannot do without. Redis and Slack may be away: reviews wait in Postgres meanwhile; see metric hitl_up.
		Checks: map[string]func(context.Context) error{"postgres": s.store.Ready, "classifiers": s.modelsReady},
	}
}

func ingestSources(cfg *config.Config) map[string]ingest.Source {
	secrets := func(in []config.Secret) []ingest.Secret {
		var out []ingest.Secret
		for _, s := range in {
			out = append(out, ingest.Secret(s.Reveal()))
		}
		return out
	}
	out := map[string]ingest.Source{}
	for name, s := range cfg.Sources {
		src := ingest.Source{Stats: s.Stats, Rate: ingest.Rate{PerSecond: s.Rate.PerSecond, Burst: s.Rate.Burst}}
		for _, k := range s.Auth.Bearer {
			src.Keys = append(src.Keys, hitl.KeyHash(k))
		}
		if w := s.Auth.StandardWebhooks; w != nil {
			src.WebhookSecrets = secrets(w.Secrets)
		}
		if h := s.Auth.HMAC; h != nil {
			src.HMAC = &ingest.HMAC{Header: h.Header, Prefix: h.Prefix, Secrets: secrets(h.Secrets)}
		}
		if m := s.Mapping; m != nil {
			src.Hook = &ingest.Hook{When: m.When, ID: m.ID, Text: m.Text, Metadata: m.Metadata, Subject: m.Subject}
		}
		out[name] = src
	}
	return out
}
