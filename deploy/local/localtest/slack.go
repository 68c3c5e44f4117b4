package localtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Where Slack's own software lies, which has no usual place: BoltVariable names the folder whose node_modules hold @slack/bolt,
// SDKVariable the Python that can import slack_sdk. Without them Node and python3 look in their usual places.
const (
	BoltVariable = "SLACK_BOLT"
	SDKVariable  = "SLACK_SDK_PYTHON"
)

const (
	installBolt = "mkdir -p ~/bolt && cp bot/slacksim/testdata/bolt/package*.json ~/bolt/ && npm ci --prefix ~/bolt && export " + BoltVariable + "=~/bolt"
	installSDK  = "python3 -m venv ~/sdk && ~/sdk/bin/pip install -r bot/testdata/slacksdk/requirements.txt && export " + SDKVariable + "=~/sdk/bin/python"
)

// probeLimit bounds the start of an interpreter on a busy machine.
const probeLimit = time.Minute

// Bolt returns a command that runs a program for Node on Slack's own framework, @slack/bolt. Where that is not installed the
// test is skipped, and says so; where servers are required it fails. The command ends with ctx.
func Bolt(ctx context.Context, t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	env := os.Environ()
	if dir := os.Getenv(BoltVariable); dir != "" {
		env = append(env, "NODE_PATH="+filepath.Join(dir, "node_modules"))
	}
	probe(ctx, t, "what Slack's own framework does with the simulator", installBolt, env, "node", "-e", "require('@slack/bolt')")
	cmd := exec.CommandContext(ctx, "node", args...)
	cmd.Env = env
	return cmd
}

// SDK returns a command that runs a program for Python on Slack's own SDK, slack_sdk, as Bolt does for Node.
func SDK(ctx context.Context, t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	python := os.Getenv(SDKVariable)
	if python == "" {
		python = "python3"
	}
	probe(ctx, t, "what Slack's own SDK says of the bot's messages", installSDK, os.Environ(), python, "-c", "import slack_sdk.models.blocks")
	return exec.CommandContext(ctx, python, args...)
}

// probe ends the test unless the program runs to a good end.
func probe(ctx context.Context, t testing.TB, what, install string, env []string, program string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	if err == nil {
		return
	}
	words := fmt.Sprintf("%s, because it is not there; install it with: %s", what, install)
	if serversRequired() {
		t.Fatalf("cannot test %s\n%v\n%s", words, err, out)
	}
	t.Skip("NOT TESTED: " + words)
}
