package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"

	"hitl/bot"
	"hitl/config"
)

type slackCmd struct {
	Manifest slackManifestCmd `cmd:"" help:"Print the manifest from which Slack makes the app."`
	Doctor   slackDoctorCmd   `cmd:"" help:"Check token, scopes, channels, reviewers, clock and the running service."`
}

type slackManifestCmd struct {
	URL    string `placeholder:"URL" xor:"how" help:"Where Slack reaches the service, https://hitl.example.org. Default: server.public_url of the configuration."`
	Socket bool   `xor:"how" help:"For Socket Mode: Slack needs no URL."`
	Send   bool   `name:"shortcut" help:"With the message shortcut. Default: if slack.shortcut_sources of the configuration names a source."`
	YAML   bool   `name:"yaml" xor:"form" help:"Print YAML, as by default."`
	JSON   bool   `name:"json" xor:"form" help:"Print JSON."`
}

// Help is shown by hitl slack manifest --help.
func (slackManifestCmd) Help() string {
	return `At https://api.slack.com/apps choose "Create New App", "From a manifest", paste what this prints, and install the app to the workspace. For an app that
is there already, paste it under "App Manifest", and install the app again when scopes have changed. The token and the signing secret that Slack shows
then belong under slack in the configuration; hitl slack doctor checks them.`
}

func (c *slackManifestCmd) Run(p program, global *cli) error {
	cfg, unread := config.Load(global.Config, p.env)
	var base *url.URL
	if !c.Socket {
		var err error
		if base, err = c.serviceURL(cfg, unread); err != nil {
			return usageError{err}
		}
	}
	var needs bot.Needs
	switch {
	case unread == nil:
		needs = slackConfig(cfg).Needs()
	case !errors.Is(unread, fs.ErrNotExist):
		_, _ = fmt.Fprintf(p.stderr, "The configuration cannot be read, so that nothing is asked for which only it would need:\n%v\n", unread)
	}
	needs.Shortcut = needs.Shortcut || c.Send
	out, err := json.MarshalIndent(bot.NewManifest(base, needs), "", "  ")
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	if !c.JSON {
		if out, err = yaml.JSONToYAML(out); err != nil {
			return fmt.Errorf("write manifest: %w", err)
		}
	}
	_, err = fmt.Fprintf(p.stdout, "%s\n", bytes.TrimSpace(out))
	return err
}

// serviceURL is where Slack will reach the service, by a configuration that may not have been read: it may lack the very token that the app
// will have.
func (c *slackManifestCmd) serviceURL(cfg *config.Config, unread error) (*url.URL, error) {
	text, whence := c.URL, "--url"
	if text == "" {
		const missing = "say where Slack reaches the service: --url https://hitl.example.org, server.public_url in the configuration, or --socket"
		switch {
		case errors.Is(unread, fs.ErrNotExist):
			return nil, errors.New(missing)
		case unread != nil:
			return nil, fmt.Errorf("%s; and the configuration cannot be read:\n%w", missing, unread)
		case cfg.Server.PublicURL == "":
			return nil, errors.New(missing)
		}
		text, whence = cfg.Server.PublicURL, "server.public_url"
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%s must be an address that Slack can call, like https://hitl.example.org", whence) // it may hold a password
	}
	return u, nil
}

type slackDoctorCmd struct {
	Post bool `help:"Post a test message to each channel, and delete it at once."`
	JSON bool `name:"json" help:"Print JSON."`
}

// Help is shown by hitl slack doctor --help.
func (slackDoctorCmd) Help() string {
	return `✓ is good, ✗ does not work, – could not be told or is not as it should be. The exit code is 1 when there is a ✗.

Without --post nothing is posted that anybody sees. The running service is asked at server.public_url, or else at server.listen, as Slack asks before it
believes in a URL: that it answers shows that requests arrive and that it runs with this configuration's slack.signing_secret. Whether that is
the app's, only Slack knows: press a button, or type /hitl help. Slack's rates are kept, so that dozens of reviewers take a while.`
}

func (c *slackDoctorCmd) Run(ctx context.Context, p program, global *cli) error {
	cfg, err := p.load(global.Config)
	if err != nil {
		return err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	slack := slackConfig(cfg)
	slack.HTTPClient = &http.Client{Timeout: 10 * time.Second, Transport: transport}
	if slack.Rotation.RefreshToken != "" {
		_, store, err := p.openStore(ctx, global)
		if err != nil {
			return fmt.Errorf("the token is kept in Postgres: %w", err)
		}
		defer store.Close()
		slack.Rotation.Tokens = store
	}
	e := bot.Examination{Service: reachableAt(cfg.Server), Post: c.Post}
	if id := cfg.Audit.AnchorChannel; id != "" {
		e.Channels = map[string]string{id: "audit.anchor_channel"}
	}
	checks, err := bot.Examine(ctx, slack, e)
	if err != nil {
		return err
	}
	count := map[bot.State]int{}
	for _, check := range checks {
		count[check.State]++
	}
	bad := count[bot.Bad]
	if c.JSON {
		err = printJSON(p.stdout, struct {
			OK     bool        `json:"ok"`
			Checks []bot.Check `json:"checks"`
		}{bad == 0, checks})
	} else {
		err = printChecks(p.stdout, checks, count, "Slack, the app and the configuration fit together.")
	}
	if err == nil && bad > 0 {
		return exitError(exitFailure)
	}
	return err
}

// reachableAt is where a running service takes requests; empty when its port is not known.
func reachableAt(s config.Server) string {
	if s.PublicURL != "" {
		return s.PublicURL
	}
	host, port, err := net.SplitHostPort(s.Listen)
	if err != nil || port == "0" {
		return ""
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// printChecks prints what was found; well is said when all of it is good.
func printChecks(w io.Writer, checks []bot.Check, count map[bot.State]int, well string) error {
	signs := map[bot.State]string{bot.Good: "✓", bot.Bad: "✗", bot.Open: "–"}
	width := 0
	for _, c := range checks {
		width = max(width, utf8.RuneCountInString(c.About))
	}
	var out strings.Builder
	for _, c := range checks {
		fmt.Fprintf(&out, "%s %-*s  %s\n", signs[c.State], width, printable(c.About), printable(c.Found))
		if c.Mend != "" {
			fmt.Fprintf(&out, "  %-*s  → %s\n", width, "", printable(c.Mend))
		}
	}
	switch {
	case count[bot.Bad] > 0:
		fmt.Fprintf(&out, "\n%d of %d checks failed.\n", count[bot.Bad], len(checks))
	case count[bot.Open] > 0:
		out.WriteString("\nNothing is broken, as far as could be told; what has a – deserves a look.\n")
	default:
		out.WriteString("\n" + well + "\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}
