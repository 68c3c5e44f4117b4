package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"hitl"
	"hitl/audit"
	"hitl/config"
)

type keysCmd struct {
	Create keysCreateCmd `cmd:"" help:"Make an API key and print it, this once."`
	List   keysListCmd   `cmd:"" help:"Print all keys that were made: whose, what for, until when. Never the keys themselves."`
	Revoke keysRevokeCmd `cmd:"" help:"End a key for good."`
}

type keysCreateCmd struct {
	Source  string   `placeholder:"NAME" help:"Whose key it is; an admin's has no source."`
	Rights  []string `required:"" placeholder:"RIGHT,..." help:"submit, read, or both of them; or admin."`
	Expires string   `placeholder:"TIME" help:"When it ends, from now: 90d, 12h. Default: never."`
	Note    string   `placeholder:"TEXT" help:"What it is for, and who has it."`
	JSON    bool     `help:"Print JSON, the key in it."`
}

// Help is shown by hitl keys create --help.
func (keysCreateCmd) Help() string {
	return `Prints the key alone on standard output, so that a script can take it from there. It is kept nowhere, only its SHA-256 is: who loses it makes another.
Running services take it within ten seconds.

submit posts items and hooks of its source, read reads the source's items and what the log holds of them. admin reads the items of every source and
the statistics, and submits nothing.

Keys are made and revoked as postgres.migrate_url, the schema's owner: the service itself may only read them, so that who takes it over cannot make one.`
}

func (c *keysCreateCmd) Run(ctx context.Context, p program, global *cli) error {
	cfg, owner, err := p.loadOwner(global)
	if err != nil {
		return err
	}
	want := audit.NewKey{Source: c.Source, Note: c.Note}
	for _, r := range c.Rights {
		want.Rights = append(want.Rights, hitl.Right(strings.TrimSpace(r)))
	}
	if c.Expires != "" {
		if want.ExpiresIn, err = parseDuration(c.Expires); err != nil || want.ExpiresIn == 0 {
			return usageError{fmt.Errorf("--expires %q: want a time from now, like 90d or 12h", c.Expires)}
		}
	}
	if _, configured := cfg.Sources[c.Source]; c.Source != "" && !configured {
		return usageError{fmt.Errorf("--source: %q is not configured; there are %v", c.Source, slices.Sorted(maps.Keys(cfg.Sources)))}
	}
	key, made, err := audit.CreateKey(ctx, owner, want)
	if invalid, ok := errors.AsType[*hitl.InvalidError](err); ok {
		return usageError{fmt.Errorf("--%s %s", invalid.Field, invalid.Reason)}
	}
	if err != nil {
		return err
	}
	if c.JSON {
		view := viewKey(made)
		view.Key = key
		return printJSON(p.stdout, view)
	}
	fmt.Fprintf(p.stderr, "%s %s; expires: %s; revoke it with `hitl keys revoke %s`\nThe key is shown this once:\n",
		made.ID, describeKey(made), momentOr(made.ExpiresAt, "never"), made.ID)
	_, err = fmt.Fprintln(p.stdout, key)
	return err
}

// describeKey says what a key is for: "for shop: submit, read".
func describeKey(k audit.APIKey) string {
	whose := "for every source"
	if k.Source != "" {
		whose = "for " + k.Source
	}
	return whose + ": " + rightsOf(k)
}

func rightsOf(k audit.APIKey) string {
	words := make([]string, len(k.Rights))
	for i, r := range k.Rights {
		words[i] = string(r)
	}
	return strings.Join(words, ", ")
}

// loadOwner reads the configuration and the connection of the schema's owner in it, for what the service's role may not do.
func (p program) loadOwner(global *cli) (cfg *config.Config, dsn string, err error) {
	if cfg, err = p.load(global.Config); err != nil {
		return nil, "", err
	}
	if cfg.Postgres.MigrateURL.Equal(cfg.Postgres.URL) {
		return nil, "", usageError{errors.New("postgres.migrate_url is missing: this is done as the schema's owner, the service's own role may not do it")}
	}
	return cfg, cfg.Postgres.MigrateURL.Reveal(), nil
}

type keysListCmd struct {
	JSON bool `help:"Print JSON."`
}

// Help is shown by hitl keys list --help.
func (keysListCmd) Help() string {
	return "The hint is the beginning of the key's SHA-256: printf %s \"$KEY\" | sha256sum says which key one has. Keys that stand in the configuration are not listed."
}

func (c *keysListCmd) Run(ctx context.Context, p program, global *cli) error {
	_, store, err := p.openStore(ctx, global)
	if err != nil {
		return err
	}
	defer store.Close()
	keys, err := store.APIKeys(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		views := make([]keyView, len(keys))
		for i, k := range keys {
			views[i] = viewKey(k)
		}
		return printJSON(p.stdout, views)
	}
	if len(keys) == 0 {
		_, err := fmt.Fprintln(p.stdout, "no keys; `hitl keys create` makes one")
		return err
	}
	rows := make([][]string, len(keys))
	for i, k := range keys {
		rows[i] = []string{
			k.ID, k.Source, rightsOf(k), k.Hint, momentOr(k.CreatedAt, ""), k.CreatedBy, momentOr(k.ExpiresAt, "never"), momentOr(k.RevokedAt, ""), k.Note,
		}
	}
	return table(p.stdout, []string{"ID", "SOURCE", "RIGHTS", "HINT", "CREATED", "BY", "EXPIRES", "REVOKED", "NOTE"}, rows)
}

// keyView is a key as JSON shows it.
type keyView struct {
	ID        string       `json:"id"`
	Key       string       `json:"key,omitempty"` // when it was just made
	Source    string       `json:"source,omitempty"`
	Rights    []hitl.Right `json:"rights"`
	Note      string       `json:"note,omitempty"`
	Hint      string       `json:"hint"`
	CreatedAt time.Time    `json:"created_at"`
	CreatedBy string       `json:"created_by"`
	ExpiresAt time.Time    `json:"expires_at,omitzero"`
	RevokedAt time.Time    `json:"revoked_at,omitzero"`
}

func viewKey(k audit.APIKey) keyView {
	return keyView{
		ID: k.ID, Source: k.Source, Rights: k.Rights, Note: k.Note, Hint: k.Hint, CreatedAt: k.CreatedAt, CreatedBy: k.CreatedBy,
		ExpiresAt: k.ExpiresAt, RevokedAt: k.RevokedAt,
	}
}

type keysRevokeCmd struct {
	ID string `arg:"" help:"Id of the key, key_..., as hitl keys list prints it."`
}

// Help is shown by hitl keys revoke --help.
func (keysRevokeCmd) Help() string {
	return `Running services refuse the key within ten seconds; those that cannot reach Postgres then refuse it as soon as they can, and serve no items meanwhile.
What was begun with the key is finished: a request that waits for an answer gets it. Like create, it needs postgres.migrate_url.`
}

func (c *keysRevokeCmd) Run(ctx context.Context, p program, global *cli) error {
	_, owner, err := p.loadOwner(global)
	if err != nil {
		return err
	}
	k, err := audit.RevokeKey(ctx, owner, c.ID)
	if errors.Is(err, hitl.ErrNotFound) {
		return fmt.Errorf("there is no key %q; see `hitl keys list`", c.ID)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s %s is revoked since %s\n", k.ID, describeKey(k), momentOr(k.RevokedAt, ""))
	return err
}

// momentOr prints a time, or what stands for none.
func momentOr(t time.Time, none string) string {
	if t.IsZero() {
		return none
	}
	return t.UTC().Format(time.RFC3339)
}
