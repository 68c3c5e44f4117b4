package check

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// stages parses the Dockerfile as docker build does; its warnings are mistakes.
func stages(t *testing.T) []instructions.Stage {
	t.Helper()
	f, err := os.Open(root + "/deploy/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	parsed, err := parser.Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range parsed.Warnings {
		t.Errorf("line %v: %s", w.Location, w.Short)
	}
	lint := linter.New(&linter.Config{Warn: func(rule, _, _, message string, at []parser.Range) { t.Errorf("%s, %v: %s", rule, at, message) }})
	all, _, err := instructions.Parse(parsed.AST, lint)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// commands returns the instructions of a stage that are of one kind.
func commands[C instructions.Command](stage instructions.Stage) []C {
	var found []C
	for _, c := range stage.Commands {
		if c, ok := c.(C); ok {
			found = append(found, c)
		}
	}
	return found
}

func TestDockerfile(t *testing.T) {
	t.Parallel()
	all := stages(t)
	names := map[string]bool{}
	for _, s := range all {
		if !names[s.BaseName] && !strings.Contains(s.BaseName, ":") || strings.HasSuffix(s.BaseName, ":latest") {
			t.Errorf("%s is not pinned", s.BaseName)
		}
		names[s.Name] = true
	}
	if !names["build"] || !names["onnxruntime"] || !names["demo"] {
		t.Errorf("stages: %v", names)
	}
	final := all[len(all)-1]
	if len(commands[*instructions.RunCommand](final)) > 0 {
		t.Error("the image has no shell to run anything with")
	}
	if u := commands[*instructions.UserCommand](final); len(u) != 1 || u[0].User != "65532:65532" {
		t.Error("the image's user is not 65532, by number")
	}
	if h := commands[*instructions.HealthCheckCommand](final); len(h) != 1 || h[0].Health.Test[0] != "CMD" {
		t.Error("the image has no health check that does without a shell")
	}
	if e := commands[*instructions.EntrypointCommand](final); len(e) != 1 || e[0].PrependShell {
		t.Error("the entry point needs a shell, which would keep SIGTERM from hitl")
	}
	environment := env(final)
	for _, name := range []string{"ONNXRUNTIME_LIB", "HITL_CONFIG", "XDG_CACHE_HOME"} {
		if environment[name] == "" {
			t.Errorf("the image sets no %s", name)
		}
	}
}

// env is what a stage sets in the environment.
func env(stage instructions.Stage) map[string]string {
	set := map[string]string{}
	for _, c := range commands[*instructions.EnvCommand](stage) {
		for _, kv := range c.Env {
			set[kv.Key] = kv.Value
		}
	}
	return set
}

func TestHadolint(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), filepath.Join(tools(t), "bin", "hadolint"), "--failure-threshold", "info", root+"/deploy/Dockerfile").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// buildContext lists what docker build is sent of the repository, relative to it: what .dockerignore leaves of the files that git knows.
func buildContext(t *testing.T) []string {
	t.Helper()
	f, err := os.Open(root + "/.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	patterns, err := ignorefile.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil || name == "." {
			return err
		}
		if d.IsDir() {
			if d.Name() == ".git" {
				return fs.SkipDir
			}
			return nil
		}
		ignored, err := matcher.MatchesOrParentMatches(name)
		if err == nil && !ignored {
			files = append(files, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestBuildContext(t *testing.T) {
	t.Parallel()
	files := buildContext(t)
	for _, name := range []string{"go.mod", "go.sum", "cmd/hitl/main.go", "doc.go", "deploy/image/build.sh", "deploy/image/onnxruntime.sh"} {
		if !slices.Contains(files, name) {
			t.Errorf("%s is left out", name)
		}
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || strings.Contains(name, "secrets/") || strings.HasPrefix(name, "deploy/helm") || strings.HasPrefix(name, ".") {
			t.Errorf("%s is sent", name)
		}
	}
	for _, stage := range stages(t) {
		for _, c := range commands[*instructions.CopyCommand](stage) {
			for _, source := range c.SourcePaths {
				if c.From == "" && source != "." && !slices.Contains(files, source) {
					t.Errorf("COPY %s: it is not sent", source)
				}
			}
		}
	}
}
