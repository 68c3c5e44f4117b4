package main

import (
	"errors"
	"fmt"

	"hitl/config"
	"hitl/ingest"
)

type configCmd struct {
	Example configExampleCmd `cmd:"" help:"Print a configuration that holds every key with its meaning and default."`
	Check   configCheckCmd   `cmd:"" help:"Check the configuration, expressions included, without connecting to anything."`
}

type configExampleCmd struct{}

func (configExampleCmd) Run(p program) error {
	_, err := p.stdout.Write(config.Example())
	return err
}

type configCheckCmd struct{}

func (configCheckCmd) Run(p program, global *cli) error {
	cfg, err := p.load(global.Config)
	if err != nil {
		return err
	}
	if err := checkExpressions(cfg); err != nil {
		return usageError{err}
	}
	for _, w := range cfg.Warnings() {
		if _, err := fmt.Fprintf(p.stdout, "warning: %s\n", w); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(p.stdout, "%s is good: %d sources, %d classifiers, %d policies, %d queues\n",
		global.Config, len(cfg.Sources), len(cfg.Classifiers), len(cfg.Policies), len(cfg.Queues))
	return err
}

// checkExpressions compiles what package config cannot: the rules of policies and the expressions of hooks.
func checkExpressions(cfg *config.Config) error {
	_, err := buildPolicies(cfg, nil)
	errs := []error{err}
	for name, s := range ingestSources(cfg) {
		if s.Hook == nil {
			continue
		}
		if err := ingest.CheckHook(*s.Hook); err != nil {
			errs = append(errs, fmt.Errorf("sources.%s.mapping: %w", name, err))
		}
	}
	return errors.Join(errs...)
}
