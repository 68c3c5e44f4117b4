package bot

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hitl/deploy/local/localtest"
)

// sdkReport is what testdata/slacksdk/check.py says.
type sdkReport struct {
	Version  string              `json:"version"`
	Checked  int                 `json:"checked"`
	Problems []string            `json:"problems"`
	Unknown  map[string][]string `json:"unknown"`
}

// heldAgainstSDK has Slack's SDK for Python read payloads, by name.
func heldAgainstSDK(t *testing.T, payloads map[string]any) sdkReport {
	t.Helper()
	in, err := json.Marshal(payloads)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := localtest.SDK(ctx, t, "testdata/slacksdk/check.py")
	var out, diagnosis bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &diagnosis
	if err := cmd.Run(); err != nil {
		t.Fatalf("check.py: %v\n%s", err, diagnosis.String())
	}
	var r sdkReport
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	if r.Checked != len(payloads) {
		t.Errorf("%d payloads checked of %d", r.Checked, len(payloads))
	}
	t.Logf("slack_sdk %s has read %d payloads", r.Version, r.Checked)
	return r
}

// The models of Slack's own SDK take every card, modal and command answer in every state, and lose nothing of it.
func TestSlackSDKTakesEverySurface(t *testing.T) {
	t.Parallel()
	// What the models do not know, and who checks it in their place.
	unmodelled := map[string]string{
		"data_visualization": "a block of June 2026, in no slack_sdk up to 3.48.0; slacksim/charts.go checks it",
	}
	r := heldAgainstSDK(t, surfaces(t))
	for _, p := range r.Problems {
		t.Error(p)
	}
	for kind, users := range r.Unknown {
		if unmodelled[kind] != "" {
			t.Logf("NOT CHECKED: %s in %s: %s", kind, strings.Join(users, ", "), unmodelled[kind])
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(unmodelled)), slices.Sorted(maps.Keys(r.Unknown))); diff != "" {
		t.Errorf("block types without a model (-listed +found):\n%s", diff)
	}
}

// The check finds what is wrong, each thing by itself.
func TestSlackSDKFindsProblems(t *testing.T) {
	t.Parallel()
	message := func(blocks string) string { return `{"text":"t","blocks":[{"type":"divider"},` + blocks + `]}` }
	view := func(fields string) string { return `{"type":"modal","blocks":[{"type":"divider"}],` + fields + `}` }
	button := func(fields string) string {
		return message(`{"type":"actions","elements":[{"type":"button","action_id":"a",` + fields + `}]}`)
	}
	long := func(n int) string { return strings.Repeat("x", n) }
	bad := map[string]struct{ payload, want string }{
		"section too long":   {message(`{"type":"section","text":{"type":"mrkdwn","text":"` + long(3001) + `"}}`), "/blocks/1: text attribute cannot exceed 3000 characters"},
		"header too long":    {message(`{"type":"header","text":{"type":"plain_text","text":"` + long(151) + `"}}`), "/blocks/1: text attribute cannot exceed 150 characters"},
		"empty section":      {message(`{"type":"section"}`), "/blocks/1: text or fields attribute must be specified"},
		"empty text":         {message(`{"type":"section","text":{"type":"mrkdwn","text":""}}`), "/blocks/1/text/text: the SDK leaves this away"},
		"button too long":    {button(`"text":{"type":"plain_text","text":"` + long(76) + `"}`), "/blocks/1/elements/0: text attribute cannot exceed 75 characters"},
		"value too long":     {button(`"text":{"type":"plain_text","text":"b"},"value":"` + long(2001) + `"`), "/blocks/1/elements/0: value attribute cannot exceed 2000 characters"},
		"no text":            {button(`"value":"v"`), "/blocks/1: TypeError"},
		"unheard-of field":   {button(`"text":{"type":"plain_text","text":"b"},"colour":"red"`), "/blocks/1/elements/0/colour: the SDK leaves this away"},
		"unheard-of element": {message(`{"type":"actions","elements":[{"type":"lever","action_id":"a"}]}`), "/blocks/1/elements/0: the SDK makes something else of this"},
		"too many elements":  {message(`{"type":"context","elements":[` + strings.Repeat(`{"type":"mrkdwn","text":"c"},`, 10) + `{"type":"mrkdwn","text":"c"}]}`), "/blocks/1: elements attribute cannot exceed 10 elements"},
		"no blocks":          {`{"text":"t","blocks":[]}`, "/blocks: no list, or an empty one"},
		"no fallback":        {`{"text":"","blocks":[{"type":"divider"}]}`, ": a message is a text and blocks"},
		"title too long":     {view(`"title":{"type":"plain_text","text":"` + long(25) + `"}`), ": title must be between 1 and 24 characters"},
		"state too long":     {view(`"title":{"type":"plain_text","text":"t"},"private_metadata":"` + long(3001) + `"`), ": private_metadata cannot exceed 3000 characters"},
		"unheard-of setting": {view(`"title":{"type":"plain_text","text":"t"},"modal_size":"big"`), "/modal_size: the SDK leaves this away"},
	}
	payloads := map[string]any{"unheard-of block": json.RawMessage(message(`{"type":"hologram"}`))}
	for name, b := range bad {
		payloads[name] = json.RawMessage(b.payload)
	}
	r := heldAgainstSDK(t, payloads)
	if diff := cmp.Diff(map[string][]string{"hologram": {"unheard-of block"}}, r.Unknown); diff != "" {
		t.Errorf("unknown types (-want +got):\n%s", diff)
	}
	for name, b := range bad {
		if !slices.ContainsFunc(r.Problems, func(p string) bool { return strings.HasPrefix(p, name+": "+b.want) }) {
			t.Errorf("%s is not reported as %q", name, b.want)
		}
	}
	if len(r.Problems) != len(bad) {
		t.Errorf("%d problems in %d bad payloads: %q", len(r.Problems), len(bad), r.Problems)
	}
}
