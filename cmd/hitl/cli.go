package main

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/alecthomas/kong"

	"hitl/classifier"
	"hitl/config"
)

// cli is the command line. Each subcommand is a struct in the file of its name.
type cli struct {
	Config string `short:"c" default:"hitl.yaml" env:"HITL_CONFIG" placeholder:"FILE" help:"Configuration file (${env}; default ${default})."`

	Serve     serveCmd     `cmd:"" help:"Run the service: API, classifiers, queue, Slack bot, callbacks."`
	Demo      demoCmd      `cmd:"" help:"Run everything on this machine, with a local Slack to click in. Needs no preparation."`
	Ready     readyCmd     `cmd:"" help:"Ask a running service whether it is ready; for health checks and scripts."`
	Migrate   migrateCmd   `cmd:"" help:"Create or update the Postgres schema and the service's role."`
	Classify  classifyCmd  `cmd:"" help:"Print what a model says of texts."`
	Train     trainCmd     `cmd:"" help:"Make a model that knows your labels, from labelled texts."`
	Model     modelCmd     `cmd:"" help:"Keep models in the registry, propose and promote them, go back."`
	Policy    policyCmd    `cmd:"" help:"Show the workflow that is configured, and its past versions."`
	Advise    adviseCmd    `cmd:"" help:"Find the lowest thresholds at which errors stay below a promised rate, from what reviewers decided."`
	Cascade   cascadeCmd   `cmd:"" help:"Find from which score on a small model can answer in a large one's stead, at a promised risk."`
	Calibrate calibrateCmd `cmd:"" help:"Fit what makes of a model's scores how often it is right, from what reviewers decided."`
	Proposals proposalsCmd `cmd:"" help:"List and answer proposals of how far the model is trusted."`
	Stats     statsCmd     `cmd:"" help:"Print throughput, review rate, decisions and times to decision."`
	Quality   qualityCmd   `cmd:"" help:"Print how well people review: how far panels agree."`
	Insights  insightsCmd  `cmd:"" help:"Print what corrections teach: labels confused, sources and rules that stand out, drift."`
	Gold      goldCmd      `cmd:"" help:"Keep texts whose right label is known, to be mixed in unseen."`
	Export    exportCmd    `cmd:"" help:"Write corrections, decisions, items, or what to train on, as CSV, JSON lines or Parquet."`
	Erase     eraseCmd     `cmd:"" help:"Erase the text of items: in Postgres, on cards, in exports. The log stays whole."`
	Reopen    reopenCmd    `cmd:"" help:"Take the decision of a review back, so that it is decided anew."`
	Verify    verifyCmd    `cmd:"" help:"Check that nothing in the log was altered, removed or added."`
	Log       logCmd       `cmd:"" help:"Make the log's key, sign a checkpoint, write the log for others to check."`
	Queue     queueCmd     `cmd:"" help:"List what waits for a reviewer, or rebuild the queue from Postgres."`
	Callbacks callbacksCmd `cmd:"" help:"List callbacks, and send dead ones again."`
	Keys      keysCmd      `cmd:"" help:"Make, list and revoke API keys."`
	Slack     slackCmd     `cmd:"" help:"Print the manifest that makes the Slack app, or check that Slack and the configuration fit together."`
	Conf      configCmd    `cmd:"" name:"config" help:"Print a commented example, or check a configuration."`
	Doctor    doctorCmd    `cmd:"" help:"Check what the service stands on: Postgres, Redis, models, and how fast they classify."`
	Setup     setupCmd     `cmd:"" help:"Get ONNX Runtime, which runs transformers tens of times faster."`
	Version   versionCmd   `cmd:"" help:"Print the version, and which engine runs the models."`
}

const description = `A human in the loop, in Slack: classify items, accept what the model is sure of, ask people about the rest.

    hitl demo                           try it, on this machine
    hitl config example > hitl.yaml     set it up: every key with its meaning
    hitl slack manifest                 make the Slack app of it
    hitl config check
    hitl migrate
    hitl serve
    hitl slack doctor                   see that Slack, the app and the service fit together`

// kongExit carries the exit code that kong asks for (after --help) out of its callback.
type kongExit int

// parser reads a command line into c.
func (p program) parser(c *cli) (*kong.Kong, error) {
	return kong.New(
		c, kong.Name("hitl"), kong.Description(description), kong.UsageOnError(), kong.ShortUsageOnError(),
		kong.Writers(p.stdout, p.stderr), kong.Exit(func(code int) { panic(kongExit(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}),
		kong.Vars{"npm": classifier.NPM},
		kong.TypeMapper(durationType, kong.MapperFunc(decodeDuration)),
	)
}

func (p program) run(ctx context.Context, args []string) (err error) {
	var c cli
	parser, err := p.parser(&c)
	if err != nil {
		return err
	}
	defer func() {
		if r := recover(); r != nil {
			code, ok := r.(kongExit)
			if !ok {
				panic(r)
			}
			if err = nil; code != 0 {
				err = exitError(code)
			}
		}
	}()
	kctx, err := parser.Parse(args)
	if err != nil {
		return usageError{err}
	}
	kctx.BindTo(ctx, (*context.Context)(nil))
	return kctx.Run(p, &c)
}

// load reads the configuration file.
func (p program) load(path string) (*config.Config, error) {
	cfg, err := config.Load(path, p.env)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usageError{&os.PathError{Op: "read configuration", Path: path, Err: errors.New("no such file; make one with `hitl config example > hitl.yaml`, or name yours with --config")}}
	}
	if err != nil {
		return nil, usageError{err}
	}
	return cfg, nil
}
