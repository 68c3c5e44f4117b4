package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadme runs what the README shows: its configuration is good, its pictures are there, its request is the one that the demo prints.
func TestReadme(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(data)
	yaml := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindStringSubmatch(readme)
	if yaml == nil {
		t.Fatal("the README shows no configuration")
	}
	file := filepath.Join(t.TempDir(), "hitl.yaml")
	if err := os.WriteFile(file, []byte(yaml[1]), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	p := program{stdout: &out, stderr: &errOut, env: func(name string) (string, bool) {
		switch {
		case name == "SLACK_BOT_TOKEN":
			return "xoxb-1", true
		case strings.HasPrefix(name, "HELPDESK"):
			return storySecret, true
		}
		return "value-of-" + name, true
	}}
	if err := p.run(t.Context(), []string{"--config", file, "config", "check"}); err != nil {
		t.Errorf("the README's configuration: %v\n%s", err, &errOut)
	}
	for _, m := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(readme, -1) {
		if _, err := os.Stat(filepath.Join("../..", m[1])); err != nil {
			t.Errorf("the README points at %s: %v", m[1], err)
		}
	}
	source, err := os.ReadFile("demo.go")
	if err != nil {
		t.Fatal(err)
	}
	request := regexp.MustCompile(`-d '(\{.*\})'`).FindStringSubmatch(readme)
	if request == nil || !bytes.Contains(source, []byte(request[1])) {
		t.Errorf("the README's request %q is not the demo's", request)
	}
	if !strings.Contains(readme, unsureText) {
		t.Error("the README's text is not the stories' unsure one")
	}
}
