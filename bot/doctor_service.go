package bot

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
)

// service does what Slack does before it believes in a URL: it sends a signed challenge and wants it back.
func (d *doctor) service(ctx context.Context, base string) Check {
	const about = "requests"
	if d.cfg.AppToken != "" {
		return Check{About: about, State: Open, Found: "not looked at: slack.app_token is set, so none come in, Socket Mode fetches them"}
	}
	if base == "" {
		return Check{About: about, State: Open, Found: "not looked at: where the service is reached is not known"}
	}
	at := strings.TrimSuffix(base, "/") + eventsPath
	challenge := rand.Text()
	status, echo, err := d.challenge(ctx, at, challenge)
	if err != nil {
		return unreachedCheck(about, at, err)
	}
	switch {
	case status == http.StatusOK && echo == challenge:
		return Check{About: about, State: Good, Found: "the service at " + base + " takes what is signed with this secret"}
	case status == http.StatusUnauthorized:
		return Check{
			about, Bad, "the service at " + base + " does not take what is signed with this secret",
			"restart the service, so that it has this configuration's slack.signing_secret; and compare its clock with this machine's",
		}
	case status/100 == 3:
		return Check{about, Bad, fmt.Sprintf("%s redirects (%d)", at, status), "let server.public_url be where it leads to: Slack's requests must arrive at once"}
	}
	return Check{
		about, Bad, fmt.Sprintf("%s answers %d, and not as the service does", at, status),
		"see that server.public_url, and the proxy if there is one, lead to hitl serve",
	}
}

// challenge returns the status of the answer, and the challenge in it.
func (d *doctor) challenge(ctx context.Context, at, challenge string) (status int, echo string, err error) {
	body, err := json.Marshal(map[string]string{"type": "url_verification", "challenge": challenge})
	if err != nil {
		return 0, "", fmt.Errorf("write challenge: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at, bytes.NewReader(body))
	if err != nil {
		return 0, "", fmt.Errorf("make request: %w", err)
	}
	stamp := strconv.FormatInt(d.cfg.Now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Slack-Request-Timestamp", stamp)
	req.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(sign(d.cfg.SigningSecrets[0], stamp, body)))
	client := *d.cfg.HTTPClient
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return 0, "", fmt.Errorf("read answer: %w", err)
	}
	var answer struct {
		Challenge string `json:"challenge"`
	}
	_ = json.Unmarshal(text, &answer) // what is not JSON holds no challenge
	return res.StatusCode, answer.Challenge, nil
}

func unreachedCheck(about, at string, err error) Check {
	if withURL, ok := errors.AsType[*url.Error](err); ok {
		err = withURL.Err
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return Check{about, Bad, fmt.Sprintf("%s has no good certificate: %v", at, err), "give it one that everybody trusts: Slack refuses others too"}
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return Check{about, Bad, "the service is not running: nobody answers at " + at, "start it with hitl serve, and look again"}
	}
	return Check{about, Bad, fmt.Sprintf("%s cannot be reached: %v", at, err), "see whether the service runs, and whether server.public_url leads to it from outside"}
}
