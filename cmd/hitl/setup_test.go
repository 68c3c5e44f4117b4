package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"hitl/classifier"
)

// What is said without a library is how to get one; which engine runs is seen by running it.
func TestSetupRuntimeTellsTheWays(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	run := func(args ...string) string {
		var out, errOut bytes.Buffer
		p := program{stdout: &out, stderr: &errOut, env: func(name string) (string, bool) { return empty, name == "ONNXRUNTIME_LIB" }}
		if err := p.run(t.Context(), append([]string{"setup", "onnxruntime"}, args...)); err != nil {
			t.Fatalf("%v\n%s", err, &errOut)
		}
		return out.String()
	}
	text := run()
	for _, want := range []string{"engine: hugot, pure Go", empty, "releases", "onnxruntime-node@" + classifier.RuntimeVersion, "pip download", "ONNXRUNTIME_LIB"} {
		if !strings.Contains(text, want) {
			t.Errorf("says nothing of %q:\n%s", want, text)
		}
	}
	if classifier.RuntimeInstalls() != strings.Contains(text, "hitl setup onnxruntime --install") {
		t.Errorf("whether it can be installed is told wrong:\n%s", text)
	}
	var r runtimeReport
	if err := json.Unmarshal([]byte(run("--json")), &r); err != nil || r.Engine != "hugot, pure Go" || r.Problem == "" || len(r.Ways) < 4 || r.Library != "" {
		t.Errorf("%+v, %v", r, err)
	}
}

// A registry that does not answer is named.
func TestSetupRuntimeFails(t *testing.T) {
	t.Parallel()
	if !classifier.RuntimeInstalls() {
		return // it refuses before it asks, which classifier's own test sees
	}
	var out, errOut bytes.Buffer
	p := program{stdout: &out, stderr: &errOut, env: func(string) (string, bool) { return "", false }}
	err := p.run(t.Context(), []string{"setup", "onnxruntime", "--install", "--dir", t.TempDir(), "--registry", "ftp://mirror.example.org"})
	if err == nil || !strings.Contains(err.Error(), "ftp://mirror.example.org/onnxruntime-node") || out.Len() > 0 {
		t.Errorf("%v\n%s", err, &out)
	}
}
