package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"hitl/audit"
)

type policyCmd struct {
	Show    policyShowCmd    `cmd:"" help:"Print the configured workflow as a table, a Mermaid flowchart, or JSON."`
	History policyHistoryCmd `cmd:"" help:"Print every version of the policies that the service has run."`
}

type policyShowCmd struct {
	Name   string `arg:"" optional:"" help:"Only this policy."`
	Now    bool   `help:"With the share of sure items that is sampled now, where the service chooses it (sample.certify): asks Postgres."`
	Format string `default:"all" enum:"all,table,mermaid,json" help:"all (table and flowchart), table, mermaid or json (default ${default})."`
}

func (c *policyShowCmd) Run(ctx context.Context, p program, global *cli) error {
	cfg, err := p.load(global.Config)
	if err != nil {
		return err
	}
	policies, err := buildPolicies(cfg, nil)
	if err != nil {
		return usageError{err}
	}
	why := map[string]string{}
	if c.Now {
		_, store, err := p.openStore(ctx, global)
		if err != nil {
			return err
		}
		defer store.Close()
		if why, err = samplingNow(ctx, cfg, store, policies); err != nil {
			return err
		}
	}
	names := slices.Sorted(maps.Keys(policies))
	if c.Name != "" {
		if policies[c.Name] == nil {
			return usageError{fmt.Errorf("policy %q is not configured; there are %v", c.Name, names)}
		}
		names = []string{c.Name}
	}
	if c.Format == "json" {
		out := map[string]json.RawMessage{}
		for _, name := range names {
			out[name] = json.RawMessage(policies[name].Text())
		}
		return printJSON(p.stdout, out)
	}
	for i, name := range names {
		if i > 0 {
			fmt.Fprintln(p.stdout)
		}
		if c.Format != "mermaid" {
			if err := policies[name].Table(p.stdout); err != nil {
				return err
			}
			if why[name] != "" {
				fmt.Fprintf(p.stdout, "\n%s\n", why[name])
			}
		}
		if c.Format == "all" {
			fmt.Fprintln(p.stdout)
		}
		if c.Format != "table" {
			if err := policies[name].Mermaid(p.stdout); err != nil {
				return err
			}
		}
	}
	return nil
}

type policyHistoryCmd struct {
	Name string `arg:"" optional:"" help:"Only this policy."`
	Text bool   `help:"Print the text of each version too."`
	JSON bool   `help:"Print JSON, texts included."`
}

func (c *policyHistoryCmd) Run(ctx context.Context, p program, global *cli) error {
	_, store, err := p.openStore(ctx, global)
	if err != nil {
		return err
	}
	defer store.Close()
	list, err := store.Policies(ctx)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(v audit.PolicyVersion) bool { return c.Name != "" && v.Name != c.Name })
	if c.JSON {
		if list == nil {
			list = []audit.PolicyVersion{}
		}
		return printJSON(p.stdout, list)
	}
	if c.Text {
		for _, v := range list {
			if _, err := fmt.Fprintf(p.stdout, "%s %s %s\n%s\n\n", v.FirstSeen.UTC().Format(time.RFC3339), v.Name, v.Version, v.Text); err != nil {
				return err
			}
		}
		return nil
	}
	rows := make([][]string, len(list))
	for i, v := range list {
		rows[i] = []string{v.FirstSeen.UTC().Format(time.RFC3339), v.Name, v.Version}
	}
	return table(p.stdout, []string{"FIRST RUN", "POLICY", "VERSION"}, rows)
}
