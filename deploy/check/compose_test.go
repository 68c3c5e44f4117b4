package check

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// composed loads compose.yaml as docker compose does, with all profiles. References to networks, volumes, secrets and services that are not there are
// errors of the loader.
func composed(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions(
		[]string{root + "/deploy/compose.yaml"}, cli.WithProfiles([]string{"*"}), cli.WithEnv([]string{"HITL_VERSION=v1.2.3"}), cli.WithConsistency(true),
		cli.WithResolvedPaths(true),
	)
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// pinned matches a tag of at least two numbers, which is how far a tag can pin.
var pinned = regexp.MustCompile(`^[^:@]+(/[^:@]+)*:(v?\d+\.\d+(\.\d+)?(-[a-z0-9.-]+)?)$`)

func TestComposeIsHardened(t *testing.T) {
	t.Parallel()
	project := composed(t)
	for _, name := range []string{"migrate", "hitl", "postgres", "redis", "prometheus", "grafana", "demo"} {
		if _, ok := project.Services[name]; !ok {
			t.Errorf("there is no service %s", name)
		}
	}
	for name, s := range project.Services {
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || len(s.CapAdd) > 0 || s.Privileged || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s may do more than it needs", name)
		}
		if s.User == "" || strings.HasPrefix(s.User, "0") || strings.HasPrefix(s.User, "root") {
			t.Errorf("%s runs as %q", name, s.User)
		}
		if s.Build == nil && !pinned.MatchString(s.Image) {
			t.Errorf("%s runs %s, which is not pinned", name, s.Image)
		}
		if s.HealthCheck == nil || (s.HealthCheck.Disable != (name == "migrate")) {
			t.Errorf("%s has no health check", name)
		}
		for _, p := range s.Ports {
			if p.HostIP != "127.0.0.1" {
				t.Errorf("%s publishes %s to other machines", name, p.Published)
			}
		}
		for key, value := range s.Environment {
			if value != nil && regexp.MustCompile(`(?i)password|secret|token`).MatchString(key) && !strings.HasPrefix(*value, "/run/secrets/") {
				t.Errorf("%s has a secret in its environment: %s", name, key)
			}
		}
		for other, d := range s.DependsOn {
			want := types.ServiceConditionHealthy
			if other == "migrate" {
				want = types.ServiceConditionCompletedSuccessfully
			}
			if d.Condition != want {
				t.Errorf("%s waits for %s to be %s", name, other, d.Condition)
			}
		}
		for _, v := range s.Volumes {
			if v.Type == types.VolumeTypeBind {
				if _, err := os.Stat(v.Source); err != nil || !v.ReadOnly {
					t.Errorf("%s mounts %s: %v, read-only: %v", name, v.Source, err, v.ReadOnly)
				}
			}
		}
	}
	if g := project.Services["hitl"].StopGracePeriod; g == nil || time.Duration(*g) < 30*time.Second {
		t.Error("hitl is killed before server.shutdown_timeout")
	}
	if n := project.Networks["data"]; !n.Internal {
		t.Error("the network of Postgres and Redis leads outside")
	}
}

// TestComposeSecrets makes the secrets as an operator does, twice, and holds the configuration against the command with what each service is given.
func TestComposeSecrets(t *testing.T) {
	t.Parallel()
	project := composed(t)
	dir := t.TempDir()
	script := filepath.Join(dir, "secrets.sh")
	write(t, script, read(t, root+"/deploy/compose/secrets.sh"))
	run := func() {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), "sh", script).CombinedOutput(); err != nil {
			t.Fatalf("secrets.sh: %v\n%s", err, out)
		}
	}
	run()
	made := filepath.Join(dir, "secrets")
	if info, err := os.Stat(made); err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("the folder of secrets is open to others: %v", err)
	}
	before := read(t, filepath.Join(made, "redis_password"))
	for name, value := range map[string]string{"slack_bot_token": "xoxb-1", "slack_signing_secret": secrets["slack_signing_secret"]} {
		write(t, filepath.Join(made, name), value)
	}
	run()
	if after := read(t, filepath.Join(made, "redis_password")); after != before || len(after) != 48 {
		t.Error("a second run changes secrets, or they are not 24 random bytes")
	}
	if read(t, filepath.Join(made, "slack_bot_token")) != "xoxb-1" {
		t.Error("a second run changes what was put in")
	}
	for name, s := range project.Secrets {
		if _, err := os.Stat(filepath.Join(made, filepath.Base(s.File))); err != nil {
			t.Errorf("secrets.sh does not make %s: %v", name, err)
		}
	}

	command, err := hitl()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"hitl", "migrate"} {
		s, given := project.Services[name], t.TempDir()
		for _, secret := range s.Secrets {
			write(t, filepath.Join(given, secret.Source), read(t, filepath.Join(made, secret.Source)))
		}
		if _, err := os.Stat(filepath.Join(given, "postgres_migrate_url")); (err == nil) != (name == "migrate") {
			t.Errorf("%s: is given the owner's password: %v", name, err == nil)
		}
		file := filepath.Join(given, "hitl.yaml")
		write(t, file, strings.ReplaceAll(read(t, project.Configs["hitl"].File), "${file:/run/secrets/", "${file:"+given+"/"))
		cmd := exec.CommandContext(t.Context(), command, "--config", file, "config", "check")
		for key, value := range s.Environment {
			cmd.Env = append(cmd.Env, key+"="+*value)
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: hitl config check: %v\n%s", name, err, out)
		}
	}
}
