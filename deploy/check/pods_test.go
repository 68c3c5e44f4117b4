package check

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// at follows keys and indices into an object.
func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

// pods returns the pods that a release would start, by what starts them.
func pods(objects []map[string]any) map[string]any {
	all := map[string]any{}
	for _, o := range objects {
		switch o["kind"] {
		case "Deployment", "Job":
			all[o["kind"].(string)] = at(o, "spec", "template", "spec")
		case "Pod":
			all["Pod"] = o["spec"]
		}
	}
	return all
}

// TestPodsAreRestricted checks what Kubernetes' Pod Security Standard "restricted" asks for, and more: a read-only root and no token.
func TestPodsAreRestricted(t *testing.T) {
	t.Parallel()
	for name, values := range releases(t) {
		objects, err := render(t, values, kubernetes[0])
		if err != nil {
			t.Fatal(err)
		}
		for kind, pod := range pods(objects) {
			for path, want := range map[string]any{
				"automountServiceAccountToken":      false,
				"securityContext.runAsNonRoot":      true,
				"securityContext.runAsUser":         float64(65532),
				"securityContext.seccompProfile":    map[string]any{"type": "RuntimeDefault"},
				"hostNetwork":                       nil,
				"containers.0.securityContext":      map[string]any{"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": map[string]any{"drop": []any{"ALL"}}},
				"containers.1":                      nil, // what holds for the first holds for all
				"containers.0.resources.limits.cpu": nil,
			} {
				if got := at(pod, split(path)...); fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("%s: %s.%s = %v, want %v", name, kind, path, got, want)
				}
			}
			if at(pod, "containers", 0, "resources", "limits", "memory") == nil || at(pod, "containers", 0, "resources", "requests", "cpu") == nil {
				t.Errorf("%s: %s asks for no memory or CPU", name, kind)
			}
			if image := at(pod, "containers", 0, "image").(string); !strings.Contains(image, ":") || strings.HasSuffix(image, ":latest") {
				t.Errorf("%s: %s runs %s", name, kind, image)
			}
		}
	}
}

func split(path string) []any {
	var keys []any
	for k := range strings.SplitSeq(path, ".") {
		if k == "0" || k == "1" {
			keys = append(keys, int(k[0]-'0'))
			continue
		}
		keys = append(keys, k)
	}
	return keys
}

// TestOwnersPasswordIsTheMigrationsAlone looks for who is given which secret.
func TestOwnersPasswordIsTheMigrationsAlone(t *testing.T) {
	t.Parallel()
	objects, err := render(t, map[string]any{}, kubernetes[0])
	if err != nil {
		t.Fatal(err)
	}
	given := map[string][]string{}
	for kind, pod := range pods(objects) {
		volumes, _ := at(pod, "volumes").([]any)
		for _, v := range volumes {
			sources, _ := at(v, "projected", "sources").([]any)
			for _, s := range sources {
				given[kind] = append(given[kind], at(s, "secret", "name").(string))
			}
		}
	}
	if !slices.Equal(given["Deployment"], []string{"hitl"}) || !slices.Equal(given["Job"], []string{"hitl", "hitl-migrate"}) || given["Pod"] != nil {
		t.Errorf("secrets are given so: %v", given)
	}
}

// TestTracesLeave follows the address of the collector into the pods' environment, and its port through the network policy.
func TestTracesLeave(t *testing.T) {
	t.Parallel()
	for endpoint, port := range map[string]float64{
		"http://collector:4318": 4318, "https://collector1.example.org/otlp": 443, "http://[::1]": 80, "https://[fd00::1]:8443/": 8443,
	} {
		objects, err := render(t, map[string]any{"telemetry": map[string]any{"otlpEndpoint": endpoint}}, kubernetes[0])
		if err != nil {
			t.Fatal(err)
		}
		if got := at(pods(objects)["Deployment"], "containers", 0, "env", 0, "value"); got != endpoint {
			t.Errorf("%s: the pod is given %v", endpoint, got)
		}
		for _, o := range objects {
			if got := at(o, "spec", "egress", 2, "ports", 0, "port"); o["kind"] == "NetworkPolicy" && got != port {
				t.Errorf("%s: the policy lets port %v through", endpoint, got)
			}
		}
	}
}

// TestPodsStopInTime holds the grace period against server.shutdown_timeout and the sleep before it.
func TestPodsStopInTime(t *testing.T) {
	t.Parallel()
	const shutdown = 25 * time.Second // server.shutdown_timeout
	if !strings.Contains(read(t, root+"/config/example.yaml"), "shutdown_timeout: 25s") {
		t.Error("server.shutdown_timeout has another default: raise the chart's and compose.yaml's grace periods with it")
	}
	objects, err := render(t, map[string]any{}, kubernetes[0])
	if err != nil {
		t.Fatal(err)
	}
	pod := pods(objects)["Deployment"]
	grace, sleep := at(pod, "terminationGracePeriodSeconds"), at(pod, "containers", 0, "lifecycle", "preStop", "sleep", "seconds")
	if time.Duration(grace.(float64)-sleep.(float64))*time.Second < shutdown+5*time.Second {
		t.Errorf("%v s, of which %v s are slept, leave too little for %v", grace, sleep, shutdown)
	}
}

// TestChangedConfigurationStartsPods compares the checksums of two configurations, and of one that is the same.
func TestChangedConfigurationStartsPods(t *testing.T) {
	t.Parallel()
	checksum := func(config string) any {
		values := map[string]any{}
		if config != "" {
			values["config"] = config
		}
		objects, err := render(t, values, kubernetes[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objects {
			if o["kind"] == "Deployment" {
				return at(o, "spec", "template", "metadata", "annotations", "checksum/config")
			}
		}
		return nil
	}
	if a, b, c := checksum("a: 1"), checksum("a: 2"), checksum("a: 1"); a == nil || a == b || a != c {
		t.Errorf("checksums %v, %v, %v", a, b, c)
	}
}
