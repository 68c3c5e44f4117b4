package config

import (
	"encoding/base64"
	"maps"
	"net"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

var (
	nameForm    = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	ruleForm    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$`)
	channelForm = regexp.MustCompile(`^[CGD][A-Z0-9]{2,}$`)
	userForm    = regexp.MustCompile(`^[UW][A-Z0-9]{2,}$`)
	groupForm   = regexp.MustCompile(`^S[A-Z0-9]{2,}$`)
	teamForm    = regexp.MustCompile(`^[TE][A-Z0-9]{2,}$`)
	headerForm  = regexp.MustCompile(`^[A-Za-z0-9-]+$`)
)

// minSampleKey is the least length of the sampling key, in characters.
const minSampleKey = 16

// validate notes everything that is wrong: what the tags say first, then what they cannot say.
func (c *Config) validate(ps *problems) {
	checkTags(ps, "", reflect.ValueOf(c).Elem())
	c.Server.validate(ps)
	c.Telemetry.validate(ps)
	c.Postgres.validate(ps)
	c.Audit.validate(ps, c.Callbacks.AllowHTTP)
	c.Redis.validate(ps)
	c.Slack.validate(ps)
	c.Models.validate(ps)
	checkNames(ps, "classifiers", c.Classifiers)
	checkNames(ps, "policies", c.Policies)
	checkNames(ps, "queues", c.Queues)
	checkNames(ps, "sources", c.Sources)
	for i, name := range c.Slack.ShortcutSources {
		path := index("slack.shortcut_sources", i)
		if _, ok := c.Sources[name]; !ok {
			ps.add(path, "names no source: there is no sources.%s", name)
		} else if slices.Contains(c.Slack.ShortcutSources[:i], name) {
			ps.add(path, "stands there twice")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Classifiers)) {
		c.Classifiers[name].validate(ps, join("classifiers", name))
		if c.Classifiers[name].TrainEvery > 0 && c.Models.Location == "" {
			ps.add(join(join("classifiers", name), "train_every"), "needs models.location, where trained models are kept")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Policies)) {
		c.validatePolicy(ps, join("policies", name), c.Policies[name])
	}
	for _, name := range slices.Sorted(maps.Keys(c.Queues)) {
		q := c.Queues[name]
		q.validate(ps, join("queues", name))
		switch to := q.SLA.EscalateTo.Queue; to {
		case "":
		case name:
			ps.add(join("queues", name)+".sla.escalate_to.queue", "is the queue itself; leave it out to stay there")
		default:
			c.checkQueue(ps, join("queues", name)+".sla.escalate_to.queue", to)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Sources)) {
		c.validateSource(ps, join("sources", name), c.Sources[name])
	}
}

func (m Models) validate(ps *problems) {
	scheme, rest, isURL := strings.Cut(m.Location, "://")
	switch {
	case isURL && scheme != "s3":
		ps.add("models.location", "is neither a folder nor a bucket, s3://BUCKET/FOLDER")
	case isURL && strings.HasPrefix(rest, "/") || isURL && rest == "":
		ps.add("models.location", "names no bucket: s3://BUCKET or s3://BUCKET/FOLDER")
	}
	checkURL(ps, "models.s3.endpoint", m.S3.Endpoint, true)
	if !m.S3.SessionToken.IsZero() && m.S3.AccessKey.IsZero() {
		ps.add("models.s3.session_token", "goes with access_key and secret_key")
	}
	if m.S3.AccessKey.IsZero() != m.S3.SecretKey.IsZero() {
		ps.add("models.s3.access_key", "access_key and secret_key go together: both, or none")
	}
	if !m.S3.AccessKey.IsZero() && scheme != "s3" {
		ps.add("models.s3.access_key", "has a meaning with a location of s3:// only")
	}
}

func (c Classifier) validate(ps *problems, path string) {
	checkURL(ps, join(path, "hub_url"), c.HubURL, true)
	for i, l := range c.Labels {
		switch at := index(join(path, "labels"), i); {
		case strings.TrimSpace(l) != l:
			ps.add(at, "begins or ends with a space")
		case slices.Contains(c.Labels[:i], l):
			ps.add(at, "stands there twice")
		}
	}
	if s := c.Cascade; s != nil {
		switch {
		case c.Model == "":
			ps.add(join(path, "cascade"), "has a meaning with a model only: labels alone have none that could see the rest")
		case s.Model == c.Model && s.Network == c.Network:
			ps.add(join(join(path, "cascade"), "model"), "is the classifier's own model; name a smaller one, or leave the cascade out")
		}
	}
	if c.Model == "" && len(c.Labels) == 1 {
		ps.add(join(path, "labels"), "holds one label: without a model there must be two to choose from")
	}
}

func (s Server) validate(ps *problems) {
	checkAddr(ps, "server.listen", s.Listen)
	if s.MetricsListen != MetricsOff {
		checkAddr(ps, "server.metrics_listen", s.MetricsListen)
	} else if s.PProf {
		ps.add("server.pprof", "has a meaning with server.metrics_listen only")
	}
	checkURL(ps, "server.public_url", s.PublicURL, true)
}

func (p Postgres) validate(ps *problems) {
	for _, f := range []struct {
		path string
		url  Secret
	}{{"postgres.url", p.URL}, {"postgres.migrate_url", p.MigrateURL}} {
		u := f.url.Reveal()
		switch {
		case u == "", f.path == "postgres.migrate_url" && f.url.Equal(p.URL):
		case !strings.HasPrefix(u, "postgres://") && !strings.HasPrefix(u, "postgresql://"):
			ps.add(f.path, `must begin with "postgres://"`)
		default:
			if _, err := url.Parse(u); err != nil { // the error itself would show the password
				ps.add(f.path, "is no URL; write special characters of the password as %%XX")
			}
		}
	}
}

func (r Redis) validate(ps *problems) {
	for i, a := range r.Addrs {
		if at := index("redis.addrs", i); a == "" {
			ps.add(at, "is empty")
		} else {
			checkAddr(ps, at, a)
		}
	}
	switch {
	case r.Mode == "single" && len(r.Addrs) > 1:
		ps.add("redis.addrs", "holds %d addresses, but mode single has one; use mode sentinel or cluster", len(r.Addrs))
	case r.Mode == "sentinel" && r.MasterName == "":
		ps.add("redis.master_name", "is required with mode sentinel")
	case r.Mode == "cluster" && r.DB != 0:
		ps.add("redis.db", "must be 0: a cluster has no other database")
	}
	if r.Mode != "sentinel" && r.MasterName != "" {
		ps.add("redis.master_name", "has a meaning with mode sentinel only")
	}
	if !r.TLS.Enabled && (r.TLS.CAFile != "" || r.TLS.ServerName != "") {
		ps.add("redis.tls.enabled", "must be true for the other keys of tls to have a meaning")
	}
}

func (s Slack) validate(ps *problems) {
	switch t := s.BotToken.Reveal(); {
	case strings.HasPrefix(t, "xapp-"):
		ps.add("slack.bot_token", `is an app-level token; the bot's begins with "xoxb-"`)
	case strings.HasPrefix(t, "xoxp-"):
		ps.add("slack.bot_token", `is a user's token; the bot's begins with "xoxb-"`)
	case t != "" && !strings.HasPrefix(t, "xoxb-") && !strings.HasPrefix(t, "xoxe.xoxb-"):
		ps.add("slack.bot_token", `must begin with "xoxb-"`)
	}
	rotating := 0
	for _, given := range []bool{!s.RefreshToken.IsZero(), s.ClientID != "", !s.ClientSecret.IsZero()} {
		if given {
			rotating++
		}
	}
	switch {
	case rotating == 0 && s.BotToken.IsZero():
		ps.add("slack.bot_token", "is required, or refresh_token, client_id and client_secret where tokens expire")
	case rotating != 0 && rotating != 3:
		ps.add("slack.refresh_token", "refresh_token, client_id and client_secret go together: all three, or none")
	case rotating == 3 && !strings.HasPrefix(s.RefreshToken.Reveal(), "xoxe-"):
		ps.add("slack.refresh_token", `must begin with "xoxe-"`)
	}
	if t := s.AppToken; !t.IsZero() && !strings.HasPrefix(t.Reveal(), "xapp-") {
		ps.add("slack.app_token", `is no app-level token; those begin with "xapp-"`)
	}
	switch {
	case s.SigningSecret.IsZero() && s.AppToken.IsZero():
		ps.add("slack.signing_secret", "is required, or app_token for Socket Mode")
	case s.SigningSecret.IsZero() && !s.OldSigningSecret.IsZero():
		ps.add("slack.old_signing_secret", "has a meaning beside signing_secret only")
	}
	if !s.OldSigningSecret.IsZero() && s.OldSigningSecret.Equal(s.SigningSecret) {
		ps.add("slack.old_signing_secret", "is the same as signing_secret; leave it out unless the secret is being changed")
	}
	if s.Team != "" && !teamForm.MatchString(s.Team) {
		ps.add("slack.team", `must be the workspace's id, "T" or "E" and capital letters and digits`)
	}
	checkURL(ps, "slack.api_url", s.APIURL, true)
}

func (c *Config) validatePolicy(ps *problems, path string, p Policy) {
	c.checkQueue(ps, join(path, "queue"), p.Queue)
	names := map[string]bool{}
	for i, r := range p.Rules {
		at := index(join(path, "rules"), i)
		switch {
		case r.Name == "":
		case !ruleForm.MatchString(r.Name):
			ps.add(at+".name", `must be letters, digits, "_", "." and "-", at most 63`)
		case names[r.Name]:
			ps.add(at+".name", "is the name of an earlier rule")
		}
		names[r.Name] = true
		c.checkQueue(ps, at+".queue", r.Queue)
	}
	c.checkQueue(ps, path+".sample.queue", p.Sample.Queue)
	switch n := len(p.Sample.Key.Reveal()); {
	case p.Sample.Rate > 0 && n == 0:
		ps.add(path+".sample.key", "is required with a rate above 0; `openssl rand -hex 32` makes one")
	case n > 0 && n < minSampleKey:
		ps.add(path+".sample.key", "must have at least %d characters; `openssl rand -hex 32` makes a good one", minSampleKey)
	}
	switch c := p.Sample.Certify; {
	case c == nil:
	case c.MinRate > c.MaxRate:
		ps.add(path+".sample.certify.min_rate", "must not be above max_rate, %v", c.MaxRate)
	case c.Within > p.Guarantee.Window:
		ps.add(path+".sample.certify.within", "must not be longer than guarantee.window, %v: older reviews are no evidence", p.Guarantee.Window)
	case p.Sample.Rate < c.MinRate || p.Sample.Rate > c.MaxRate:
		ps.add(path+".sample.rate", "must be from certify.min_rate, %v, to certify.max_rate, %v: it is the rate that certify starts from", c.MinRate, c.MaxRate)
	}
}

func (c *Config) validateSource(ps *problems, path string, s Source) {
	checkRef(ps, path+".classifier", "classifier", s.Classifier, c.Classifiers)
	checkRef(ps, path+".policy", "policy", s.Policy, c.Policies)
	ways := 0
	for _, given := range []bool{len(s.Auth.Bearer) > 0, s.Auth.StandardWebhooks != nil, s.Auth.HMAC != nil} {
		if given {
			ways++
		}
	}
	if ways > 1 {
		ps.add(path+".auth", "may have one of bearer, standard_webhooks and hmac, has %d", ways)
	}
	s.Rate.validate(ps, path+".rate")
	if w := s.Auth.StandardWebhooks; w != nil {
		for i, secret := range w.Secrets {
			checkWebhookSecret(ps, index(path+".auth.standard_webhooks.secrets", i), secret)
		}
	}
	if h := s.Auth.HMAC; h != nil {
		if h.Header != "" && !headerForm.MatchString(h.Header) {
			ps.add(path+".auth.hmac.header", `must be the name of a header: letters, digits and "-"`)
		}
		for i, secret := range h.Secrets {
			if secret.IsZero() {
				ps.add(index(path+".auth.hmac.secrets", i), "is empty")
			}
		}
	}
	if cb := s.Callback; cb != nil {
		checkURL(ps, path+".callback.url", cb.URL, c.Callbacks.AllowHTTP)
		checkWebhookSecret(ps, path+".callback.secret", cb.Secret)
		checkWebhookSecret(ps, path+".callback.old_secret", cb.OldSecret)
		if !cb.OldSecret.IsZero() && cb.OldSecret.Equal(cb.Secret) {
			ps.add(path+".callback.old_secret", "is the same as secret")
		}
	}
}

// slowestRate keeps the time that a bucket needs to fill within what a time.Duration holds.
const slowestRate = 0.001

func (r Rate) validate(ps *problems, path string) {
	switch {
	case r.PerSecond > 0 && r.PerSecond < slowestRate:
		ps.add(path+".per_second", "must be 0 or at least %v", slowestRate)
	case r.PerSecond == 0 && r.Burst > 0:
		ps.add(path+".burst", "has a meaning with per_second only")
	}
}

func (c *Config) checkQueue(ps *problems, path, name string) {
	if len(c.Queues) > 0 { // that there must be one is said already
		checkRef(ps, path, "queue", name, c.Queues)
	}
}

// checkRef notes a name that leads nowhere; an empty one is somebody else's to check.
func checkRef[T any](ps *problems, path, what, name string, known map[string]T) {
	if _, ok := known[name]; ok || name == "" {
		return
	}
	names := "none"
	if len(known) > 0 {
		names = strings.Join(slices.Sorted(maps.Keys(known)), ", ")
	}
	ps.add(path, "there is no %s %q; there is %s", what, name, names)
}

func checkNames[T any](ps *problems, path string, section map[string]T) {
	for _, name := range slices.Sorted(maps.Keys(section)) {
		if !nameForm.MatchString(name) {
			ps.add(join(path, name), `a name is made of small letters, digits, "-" and "_", at most 63, and begins with a letter or digit`)
		}
	}
}

func checkAddr(ps *problems, path, addr string) {
	if addr == "" {
		return
	}
	if _, port, err := net.SplitHostPort(addr); err != nil || port == "" {
		ps.add(path, `must be HOST:PORT, "127.0.0.1:8080", or ":8080" for every interface`)
	}
}

func checkURL(ps *problems, path, text string, allowHTTP bool) {
	if text == "" {
		return
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		ps.add(path, `must be a full URL, "https://example.org/path"`)
	case u.Scheme == "http" && !allowHTTP:
		ps.add(path, "must begin with https://, or callbacks.allow_http be true")
	}
}

// checkWebhookSecret checks the form that Standard Webhooks gives secrets: 24 to 64 bytes in base64 after "whsec_".
func checkWebhookSecret(ps *problems, path string, secret Secret) {
	const hint = "`echo whsec_$(openssl rand -base64 32)` makes one"
	text, ok := strings.CutPrefix(secret.Reveal(), "whsec_")
	if secret.IsZero() && !strings.HasSuffix(path, "]") {
		return // required, which is noted already
	}
	key, err := base64.StdEncoding.DecodeString(text)
	switch {
	case !ok:
		ps.add(path, `must begin with "whsec_"; %s`, hint)
	case err != nil:
		ps.add(path, `must be base64 after "whsec_"; %s`, hint)
	case len(key) < 24 || len(key) > 64:
		ps.add(path, "must hold 24 to 64 bytes, holds %d; %s", len(key), hint)
	}
}
