package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"hitl"
	"hitl/audit"
	"hitl/classifier"
	"hitl/classifier/registry"
	"hitl/config"
)

type modelCmd struct {
	Add      modelAddCmd      `cmd:"" help:"Take a model's folder into the registry."`
	List     modelListCmd     `cmd:"" help:"Print the models of the registry, and which runs."`
	Show     modelShowCmd     `cmd:"" help:"Print what is known of a model, with its card, as JSON."`
	Propose  modelProposeCmd  `cmd:"" help:"Ask the owners in Slack whether a model shall run."`
	Promote  modelPromoteCmd  `cmd:"" help:"Have a model run, in every replica, once it has loaded."`
	Compare  modelCompareCmd  `cmd:"" help:"Hold what a proposed model says of live items against what ran."`
	Rollback modelRollbackCmd `cmd:"" help:"Have the model run again that ran before."`
}

// Help is shown by hitl model --help.
func (modelCmd) Help() string {
	return `The registry (models.location) keeps models under the hash of their contents: those of hitl train, and those that were trained elsewhere and handed back.
One of them runs for a classifier once it is promoted: an owner accepts the proposal in Slack, or somebody promotes it here. Every replica loads it and goes on
without a restart; the log keeps who and when. Thresholds and calibrations were concluded from the model before: of accepted and configured thresholds the stricter
hold until there is new advice, and calibrations wait for one that fits.

    hitl train --classifier tickets          learns, and adds what it has learned
    hitl model add ./model                   or this, trained elsewhere
    hitl model propose 3f2a                  a version's first digits are enough; it runs in the shadow until somebody answers
    hitl model compare                       what it says there, against what runs
    hitl model rollback

Configure another classifiers.NAME.model, and that runs.`
}

// ofClassifier is the flag of commands on a classifier's models.
type ofClassifier struct {
	Classifier string `placeholder:"NAME" help:"The classifier; needed where there are several."`
}

// models is what commands on models work with.
type models struct {
	cfg      *config.Config
	store    *audit.Store
	registry *registry.Registry
	name     string // of the classifier
}

// open opens the store and the registry. The caller closes the store.
func (c ofClassifier) open(ctx context.Context, p program, global *cli) (m models, err error) {
	if m.cfg, m.store, err = p.openStore(ctx, global); err != nil {
		return m, err
	}
	if m.name, err = oneClassifier(m.cfg, c.Classifier); err == nil {
		if m.registry, err = openRegistry(m.cfg); err == nil && m.registry == nil {
			err = usageError{errors.New("there is no registry of models; set models.location")}
		}
	}
	if err != nil {
		m.store.Close()
	}
	return m, err
}

// oneClassifier returns the name of a configured classifier, which may be left out where there is one.
func oneClassifier(cfg *config.Config, name string) (string, error) {
	names := slices.Sorted(maps.Keys(cfg.Classifiers))
	switch {
	case name == "" && len(names) == 1:
		return names[0], nil
	case name == "":
		return "", usageError{fmt.Errorf("say which classifier; there are %v", names)}
	case !slices.Contains(names, name):
		return "", usageError{fmt.Errorf("classifier %q is not configured; there are %v", name, names)}
	}
	return name, nil
}

type modelAddCmd struct {
	ofClassifier
	Folder string `arg:"" type:"path" help:"The model: model.onnx, tokenizer.json, config.json; card.json if it has one."`
	By     string `help:"Who adds it (default cli/USER, of this machine)."`
}

func (c *modelAddCmd) Run(ctx context.Context, p program, global *cli) error {
	m, err := c.open(ctx, p, global)
	if err != nil {
		return err
	}
	defer m.store.Close()
	if err := m.tryOut(ctx, p, c.Folder); err != nil {
		return err
	}
	added, fresh, err := m.registry.Add(ctx, m.name, c.Folder, operator(c.By))
	if err != nil {
		return err
	}
	if !fresh {
		_, err = fmt.Fprintf(p.stdout, "the registry has model %s already, added by %s on %s\n", short(added.Version), printable(added.AddedBy), added.AddedAt.Format(time.DateOnly))
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "added model %s for classifier %s; `hitl model propose %s` asks the owners\n", short(added.Version), m.name, short(added.Version))
	return err
}

type modelListCmd struct {
	ofClassifier
	JSON bool `help:"Print JSON."`
}

// listedModel is what hitl model list --json prints of a model.
type listedModel struct {
	registry.Model
	State string `json:"state"` // runs, proposed, or empty
}

func (c *modelListCmd) Run(ctx context.Context, p program, global *cli) error {
	m, err := c.open(ctx, p, global)
	if err != nil {
		return err
	}
	defer m.store.Close()
	list, err := m.registry.List(ctx, m.name)
	if err != nil {
		return err
	}
	running, err := m.running(ctx)
	if err != nil {
		return err
	}
	proposed, err := m.proposed(ctx)
	if err != nil {
		return err
	}
	out := make([]listedModel, len(list))
	for i, one := range list {
		out[i].Model = one
		switch one.Version {
		case running:
			out[i].State = "runs"
		case proposed:
			out[i].State = "proposed"
		}
	}
	if c.JSON {
		return printJSON(p.stdout, out)
	}
	rows := make([][]string, len(out))
	for i, one := range out {
		right := "not known"
		if e := evidenceOfModel(one.Model); e.HeldOut != nil {
			right = fmt.Sprintf("%s of %d", percent(e.HeldOut.Accuracy), e.HeldOut.Items)
		}
		rows[i] = []string{short(one.Version), one.AddedAt.Format(time.RFC3339), printable(one.AddedBy), fmt.Sprint(len(one.Labels)), right, one.State}
	}
	if err := table(p.stdout, []string{"VERSION", "ADDED", "BY", "LABELS", "RIGHT, HELD OUT", ""}, rows); err != nil {
		return err
	}
	if running == "" {
		_, err = fmt.Fprintf(p.stdout, "\nThe configured model runs: %s\n", configuredModel(m.cfg, m.name))
	}
	return err
}

func configuredModel(cfg *config.Config, name string) string {
	if c := cfg.Classifiers[name].Model; c != "" {
		return c
	}
	return "none; people see everything"
}

// short is as much of a version as people need.
func short(version string) string {
	v := strings.TrimPrefix(version, "sha256:")
	return v[:min(12, len(v))]
}

type modelShowCmd struct {
	ofClassifier
	Version string `arg:"" help:"Its version, or the first digits of it."`
}

func (c *modelShowCmd) Run(ctx context.Context, p program, global *cli) error {
	m, err := c.open(ctx, p, global)
	if err != nil {
		return err
	}
	defer m.store.Close()
	one, err := m.registry.Find(ctx, m.name, c.Version)
	if err != nil {
		return err
	}
	return printJSON(p.stdout, one)
}

// modelAnswerCmd names a model and who wants it.
type modelAnswerCmd struct {
	ofClassifier
	Version string `arg:"" help:"Its version, or the first digits of it."`
	By      string `help:"Who wants it (default cli/USER, of this machine)."`
}

type modelProposeCmd struct{ modelAnswerCmd }

func (c *modelProposeCmd) Run(ctx context.Context, p program, global *cli) error {
	return c.change(ctx, p, global, false)
}

type modelPromoteCmd struct{ modelAnswerCmd }

func (c *modelPromoteCmd) Run(ctx context.Context, p program, global *cli) error {
	return c.change(ctx, p, global, true)
}

func (c *modelAnswerCmd) change(ctx context.Context, p program, global *cli, accept bool) error {
	m, err := c.open(ctx, p, global)
	if err != nil {
		return err
	}
	defer m.store.Close()
	one, err := m.registry.Find(ctx, m.name, c.Version)
	if err != nil {
		return err
	}
	id, err := m.propose(ctx, one, accept, operator(c.By))
	if err != nil {
		return err
	}
	if accept {
		_, err = fmt.Fprintf(p.stdout, "model %s: accepted as %s, runs in every replica as soon as it is loaded\n", short(one.Version), id)
	} else {
		_, err = fmt.Fprintln(p.stdout, told("model "+short(one.Version), id, false))
	}
	return err
}

// propose makes a proposal of a model and, with accept, accepts it.
func (m models) propose(ctx context.Context, one registry.Model, accept bool, by string) (string, error) {
	running, err := m.running(ctx)
	if err != nil {
		return "", err
	}
	if running == one.Version {
		return "", fmt.Errorf("model %s runs already", short(one.Version))
	}
	if err := m.fits(ctx, one.Labels); err != nil {
		return "", err
	}
	queue := ""
	if names := policiesOf(m.cfg, m.name); len(names) > 0 {
		queue = m.cfg.Policies[names[0]].Queue
	}
	if queue == "" && !accept {
		return "", usageError{fmt.Errorf("no source uses classifier %q, so nobody can be asked", m.name)}
	}
	change := hitl.ModelChange{Version: one.Version, From: m.cfg.Classifiers[m.name].Model, Parent: running}
	return putForward(ctx, m.store, hitl.ProposeModel, m.name, queue, change, evidenceOfModel(one), accept, by)
}

// fits says whether policies name labels that a model has not, or the small model of the cascade has others.
func (m models) fits(ctx context.Context, labels []string) error {
	configured := m.cfg.Classifiers[m.name]
	if _, err := buildPolicies(m.cfg, map[string][]string{m.name: slices.Concat(labels, configured.Labels)}); err != nil || configured.Cascade == nil {
		return err
	}
	small, err := classifier.Open(ctx, smallOptions(classifierOptions(m.cfg, m.name, slog.New(slog.DiscardHandler), io.Discard), configured.Cascade))
	if err != nil {
		return fmt.Errorf("cascade: %w", err)
	}
	return errors.Join(classifier.SameLabels(small.Labels(), labels), small.Close())
}

// running returns the version of the registry that runs; empty: the configured model does.
func (m models) running(ctx context.Context) (string, error) {
	promoted, err := promotedVersions(ctx, m.cfg, m.store)
	return promoted[m.name], err
}

// proposed returns the version about which the owners are asked; empty: none.
func (m models) proposed(ctx context.Context) (string, error) {
	all, err := m.store.Proposals(ctx, m.name)
	for _, p := range all {
		if p.Kind == hitl.ProposeModel && p.State == hitl.ProposalOpen {
			change, err := modelChangeOf(p)
			return change.Version, err
		}
	}
	return "", err
}

type modelRollbackCmd struct {
	ofClassifier
	By string `help:"Who wants it (default cli/USER, of this machine)."`
}

func (c *modelRollbackCmd) Run(ctx context.Context, p program, global *cli) error {
	m, err := c.open(ctx, p, global)
	if err != nil {
		return err
	}
	defer m.store.Close()
	back, err := m.before(ctx)
	if err != nil {
		return err
	}
	id, err := putForward(ctx, m.store, hitl.ProposeModel, m.name, "", back, hitl.ModelEvidence{Source: "rollback"}, true, operator(c.By))
	if err != nil {
		return err
	}
	what := "model " + short(back.Version)
	if back.Version == "" {
		what = "the configured model (" + configuredModel(m.cfg, m.name) + ")"
	}
	_, err = fmt.Fprintf(p.stdout, "%s runs again in every replica as soon as it is loaded (%s)\n", what, id)
	return err
}

// before returns the change that has the model run again that ran before the present one.
func (m models) before(ctx context.Context) (hitl.ModelChange, error) {
	configured := m.cfg.Classifiers[m.name].Model
	all, err := m.store.Proposals(ctx, m.name)
	if err != nil {
		return hitl.ModelChange{}, err
	}
	all = slices.DeleteFunc(all, func(p hitl.Proposal) bool { return p.Kind != hitl.ProposeModel || p.State != hitl.ProposalAccepted })
	slices.SortFunc(all, func(a, b hitl.Proposal) int { return b.DecidedAt.Compare(a.DecidedAt) })
	var present hitl.ModelChange
	for i, p := range all {
		change, err := modelChangeOf(p)
		if err != nil {
			return change, err
		}
		if i == 0 {
			present = change
			if change.Resolve(configured) == "" {
				break
			}
			continue
		}
		if change.Version == present.Parent && change.Resolve(configured) != "" {
			return change, nil // with the parent that it had then: a second rollback goes further back
		}
	}
	if present.Resolve(configured) == "" {
		return present, fmt.Errorf("the configured model of classifier %q runs; there is nothing to go back to", m.name)
	}
	return hitl.ModelChange{From: configured}, nil
}

// tryOut opens a model before it is added, as the service would: one that does not run is refused.
func (m models) tryOut(ctx context.Context, p program, dir string) error {
	opts := classifierOptions(m.cfg, m.name, slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})), p.stderr)
	opts.Model, opts.Network = dir, "" // as the registry has it
	c, err := classifier.Open(ctx, opts)
	if err != nil {
		return err
	}
	return errors.Join(m.fits(ctx, c.Labels()), c.Close())
}

// evidenceOfModel is what a model's card says of it.
func evidenceOfModel(m registry.Model) hitl.ModelEvidence {
	e := hitl.ModelEvidence{Labels: m.Labels}
	var card modelCard
	if len(m.Card) == 0 || json.Unmarshal(m.Card, &card) != nil {
		return e // trained elsewhere
	}
	e.Source = card.Source
	if card.To != nil {
		e.Until = *card.To
	}
	for _, l := range card.Labels {
		if !l.LeftOut {
			e.Learned += l.Examples
		}
	}
	if h := card.HeldOut; h != nil {
		e.HeldOut = &hitl.ModelScore{Items: h.Items, Accuracy: h.Accuracy, Low: h.Low, High: h.High}
	}
	if c := card.Comparison; c != nil {
		e.Comparison = comparisonOf(*c)
	}
	return e
}
