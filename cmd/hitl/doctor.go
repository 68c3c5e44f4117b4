package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"hitl/audit"
	"hitl/bot"
	"hitl/classifier"
	"hitl/config"
)

type doctorCmd struct {
	JSON bool `help:"Print JSON."`
}

// Help is shown by hitl doctor --help.
func (doctorCmd) Help() string {
	return `✓ is good, ✗ does not work, – could not be told or is not as it should be. The exit code is 1 when there is a ✗. Nothing is written; models that are
not here yet are downloaded.

Each model classifies sample texts for about two seconds on this machine, without the cache: one at a time, and as many at once as it batches. What else
runs here slows that down. Slack has a doctor of its own: hitl slack doctor.`
}

func (c *doctorCmd) Run(ctx context.Context, p program, global *cli) error {
	cfg, err := p.load(global.Config)
	if err != nil {
		return err
	}
	d := &doctor{cfg: cfg, env: p.env, progress: p.stderr, logger: slog.New(slog.DiscardHandler)}
	d.configuration(global.Config)
	d.postgres(ctx)
	d.redis(ctx)
	d.auditKey()
	d.models(ctx)
	d.runtime()
	if d.store != nil {
		d.store.Close()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	count := map[bot.State]int{}
	for _, check := range d.checks {
		count[check.State]++
	}
	bad := count[bot.Bad]
	if c.JSON {
		err = printJSON(p.stdout, struct {
			OK     bool             `json:"ok"`
			Checks []bot.Check      `json:"checks"`
			Speed  map[string]speed `json:"speed"`
		}{bad == 0, d.checks, d.speeds})
	} else {
		err = printChecks(p.stdout, d.checks, count, "The service can run here.")
	}
	if err == nil && bad > 0 {
		return exitError(exitFailure)
	}
	return err
}

// doctor looks at what a service with this configuration would stand on.
type doctor struct {
	cfg      *config.Config
	env      func(string) (string, bool)
	progress io.Writer
	logger   *slog.Logger

	store  *audit.Store // nil: it does not open
	checks []bot.Check
	speeds map[string]speed
}

func (d *doctor) say(about string, state bot.State, found, mend string) {
	found = strings.Join(strings.Fields(found), " ") // some errors have several lines
	d.checks = append(d.checks, bot.Check{About: about, State: state, Found: found, Mend: mend})
}

func (d *doctor) configuration(file string) {
	if err := checkExpressions(d.cfg); err != nil {
		d.say("configuration", bot.Bad, err.Error(), "mend "+file+"; hitl config check looks again")
		return
	}
	d.say("configuration", bot.Good, fmt.Sprintf("%s, %s, %s", plural(len(d.cfg.Sources), "source"), plural(len(d.cfg.Classifiers), "classifier"), plural(len(d.cfg.Queues), "queue")), "")
}

func (d *doctor) postgres(ctx context.Context) {
	sc := storeConfig(d.cfg, d.logger, nil)
	sc.MaxConns = 2
	store, err := audit.Open(ctx, sc)
	if err != nil {
		mend := "see postgres.url"
		if errors.Is(err, audit.ErrOldSchema) {
			mend = "hitl migrate"
		}
		d.say("postgres", bot.Bad, err.Error(), mend)
		return
	}
	d.store = store
	server, err := store.Server(ctx)
	if err != nil {
		d.say("postgres", bot.Bad, err.Error(), "")
		return
	}
	d.say("postgres", bot.Good, fmt.Sprintf("Postgres %s answers in %s; the schema is up to date", server.Version, span(max(server.Took, time.Millisecond))), "")
	if server.CanRewrite {
		d.say("postgres role", bot.Bad, fmt.Sprintf("%s may alter or delete what stands in the log", server.Role), "name a role of its own in postgres.url; hitl migrate makes it, with no more rights than it needs")
	} else {
		d.say("postgres role", bot.Good, fmt.Sprintf("%s may add to the log and read it, no more", server.Role), "")
	}
	switch err := store.CheckDurability(ctx); {
	case err == nil:
		d.say("durability", bot.Good, "a commit is safe on the disk", "")
	case errors.Is(err, audit.ErrNotDurable) && d.cfg.Postgres.AcceptDataLoss:
		d.say("durability", bot.Open, err.Error(), "turn it on, unless losing what was acknowledged is fine, as postgres.accept_data_loss says")
	default:
		d.say("durability", bot.Bad, err.Error(), "turn it on, or set postgres.accept_data_loss: true if losing acknowledged items and decisions is fine")
	}
}

func (d *doctor) redis(ctx context.Context) {
	q, err := openQueue(ctx, d.cfg, d.logger, nil)
	if err != nil {
		d.say("redis", bot.Bad, err.Error(), "see redis in the configuration")
		return
	}
	defer func() { _ = q.Close() }() // nothing is lost with it
	patient, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	version, err := q.ServerVersion(patient)
	if err != nil {
		d.say("redis", bot.Bad, err.Error(), "see redis.addrs; reviews wait in Postgres until it answers")
		return
	}
	d.say("redis", bot.Good, fmt.Sprintf("Redis %s answers; it need not keep anything, Postgres does", version), "")
}

func (d *doctor) auditKey() {
	if d.cfg.Audit.Key.IsZero() {
		d.say("audit key", bot.Open, "there is none: no checkpoint is signed, so who owns the database could rewrite the log", "hitl log key ORIGIN, and audit.key")
		return
	}
	signer, err := note.NewSigner(d.cfg.Audit.Key.Reveal())
	if err != nil {
		d.say("audit key", bot.Bad, "it is no private key", "hitl log key ORIGIN makes one")
		return
	}
	d.say("audit key", bot.Good, "signs checkpoints as "+signer.Name(), "")
}

// models opens what each classifier would run, and measures it.
func (d *doctor) models(ctx context.Context) {
	reg, err := openRegistry(d.cfg)
	promoted := map[string]string{}
	switch {
	case err != nil:
		d.say("registry", bot.Bad, err.Error(), "see models.location")
	case reg != nil:
		kept := 0
		for name := range d.cfg.Classifiers {
			list, e := reg.List(ctx, name)
			err, kept = errors.Join(err, e), kept+len(list)
		}
		if err != nil {
			d.say("registry", bot.Bad, err.Error(), "see models.location")
		} else {
			d.say("registry", bot.Good, fmt.Sprintf("%s in %s", plural(kept, "model"), d.cfg.Models.Location), "")
		}
	}
	if d.store != nil {
		if promoted, err = promotedVersions(ctx, d.cfg, d.store); err != nil {
			d.say("promoted models", bot.Bad, err.Error(), "")
		}
	}
	d.speeds = map[string]speed{}
	for _, name := range slices.Sorted(maps.Keys(d.cfg.Classifiers)) {
		about, opts := "classifier "+name, classifierOptions(d.cfg, name, d.logger, d.progress)
		opts.CacheSize = 0 // what is measured is the network
		if version := promoted[name]; version != "" {
			dir, err := registryFolder(ctx, d.cfg, reg, name, version)
			if err != nil {
				d.say(about, bot.Bad, err.Error(), "the configured model runs instead")
				continue
			}
			opts.Model, opts.Network = dir, ""
		} else if opts.Model == "" {
			d.say(about, bot.Open, "it has no model yet: people see everything", "hitl train makes one of what they decided")
			continue
		}
		d.measure(ctx, name, about, opts)
		if c := d.cfg.Classifiers[name].Cascade; c != nil {
			d.measure(ctx, smallName(name), "classifier "+smallName(name), smallOptions(opts, c))
		}
	}
}

func (d *doctor) measure(ctx context.Context, name, about string, opts classifier.Options) {
	c, err := classifier.Open(ctx, opts)
	if err != nil {
		d.say(about, bot.Bad, err.Error(), "see classifiers."+name)
		return
	}
	s, err := measure(ctx, c, opts.MaxBatch)
	if err = errors.Join(err, c.Close()); err != nil {
		d.say(about, bot.Bad, err.Error(), "see classifiers."+name)
		return
	}
	d.speeds[name] = s
	d.say(about, bot.Good, s.String(), "")
}

func (d *doctor) runtime() {
	getenv := func(name string) string { value, _ := d.env(name); return value }
	library, err := classifier.FindRuntime("auto", getenv)
	if err != nil {
		d.say("ONNX Runtime", bot.Open, "not found; fine for small models, transformers run slowly without it", "hitl setup onnxruntime")
		return
	}
	d.say("ONNX Runtime", bot.Good, library, "")
}
