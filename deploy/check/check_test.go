package check

import (
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// root is the repository, seen from here.
const root = "../.."

// tools returns the folder that requirements.txt was installed in.
func tools(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("DEPLOY_CHECK")
	if dir == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("DEPLOY_CHECK is not set: see doc.go")
		}
		t.Skip("NOT TESTED: DEPLOY_CHECK is not set, see doc.go")
	}
	return dir
}

// hitl returns the path of the command, which is built once from the repository as it is.
var hitl = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "hitl-check-")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-o", dir, "./cmd/hitl")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return filepath.Join(dir, "hitl"), nil
})

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard) // Helm says at each load that the chart's rules are a link
	code := m.Run()
	if path, err := hitl(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// secrets are values that the configurations of examples accept, by the name of their file.
var secrets = map[string]string{
	"postgres_url":              "postgres://hitl_service:x@postgres:5432/hitl",
	"postgres_migrate_url":      "postgres://hitl_owner:x@postgres:5432/hitl",
	"postgres_service_password": "x",
	"redis_password":            "x",
	"redis_sentinel_password":   "x",
	"slack_bot_token":           "xoxb-1",
	"slack_app_token":           "xapp-1",
	"slack_signing_secret":      "0123456789abcdef0123456789abcdef",
	"sample_key":                "0123456789abcdef0123456789abcdef",
	"anchor_secret":             "whsec_c3RvcnktY2FsbGJhY2stc2VjcmV0LTAxMjM=",
	"helpdesk_secret":           "whsec_c3RvcnktY2FsbGJhY2stc2VjcmV0LTAxMjM=",
	"helpdesk_callback_secret":  "whsec_c3RvcnktY2FsbGJhY2stc2VjcmV0LTAxMjM=",
	"upstream_key_hash":         "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b",
}

// checkConfig runs hitl config check on a configuration whose secrets lie under mounted. Those in absent are not there, as for the service,
// which does without the owner's.
func checkConfig(t *testing.T, config, mounted string, absent ...string) {
	t.Helper()
	command, err := hitl()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, value := range secrets {
		write(t, filepath.Join(dir, name), value+"\n")
	}
	key, err := exec.CommandContext(t.Context(), command, "log", "key", "log.example.org").Output()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "log_key"), privateKey(t, string(key)))
	for _, name := range absent {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "hitl.yaml")
	write(t, file, strings.ReplaceAll(config, "${file:"+mounted, "${file:"+dir+"/"))
	cmd := exec.CommandContext(t.Context(), command, "--config", file, "config", "check")
	cmd.Env = []string{"PATH="} // nothing of ours
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("hitl config check: %v\n%s", err, out)
	}
}

// privateKey finds the key in what hitl log key prints.
func privateKey(t *testing.T, text string) string {
	t.Helper()
	for word := range strings.FieldsSeq(text) {
		if strings.HasPrefix(word, "PRIVATE+KEY+") {
			return word
		}
	}
	t.Fatalf("hitl log key printed no key:\n%s", text)
	return ""
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
