package check

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"sigs.k8s.io/yaml"
)

const (
	chartDir   = root + "/deploy/helm/hitl"
	examplesIn = root + "/deploy/examples"
)

// kubernetes are the oldest version that the chart takes, and the newest whose schemas there are.
var kubernetes = []string{"1.30.0", "1.37.0"}

// releases are all values that the chart is rendered with, by name.
func releases(t *testing.T) map[string]map[string]any {
	t.Helper()
	all := map[string]map[string]any{
		"defaults": {},
		"little": parse(t, `
migrate: {enabled: false}
podDisruptionBudget: {enabled: false}
networkPolicy: {enabled: false}
serviceAccount: {name: mine}
replicaCount: 1`),
		"much": parse(t, `
image: {tag: v1.2.3}
envFrom: [{secretRef: {name: more}}]
tolerations: [{key: dedicated, operator: Exists}]
nodeSelector: {kubernetes.io/arch: amd64}
affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: []}}
topologySpreadConstraints: [{maxSkew: 2, topologyKey: zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {}}]
metrics: {monitor: service, rules: true}
autoscaling: {enabled: true, cpu: 0, queueAge: {enabled: true}}
telemetry: {otlpEndpoint: "https://collector.example.org/otlp"}
env: [{name: HTTPS_PROXY, value: "http://proxy:3128"}]
service: {type: LoadBalancer, annotations: {a: b}}
networkPolicy: {metricsFrom: [], extraEgress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}
podAnnotations: {a: b}`),
	}
	for name := range examples(t) {
		values := parse(t, read(t, filepath.Join(examplesIn, name, "values.yaml")))
		values["config"] = read(t, filepath.Join(examplesIn, name, "hitl.yaml")) // as --set-file does
		all[name] = values
	}
	return all
}

func examples(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(examplesIn, "*", "values.yaml")) // the others are not about the chart
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	names := map[string]bool{}
	for _, file := range files {
		names[filepath.Base(filepath.Dir(file))] = true
	}
	return names
}

func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	values := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &values); err != nil {
		t.Fatal(err)
	}
	return values
}

// render returns the objects that the chart makes of values. The values are checked against values.schema.json first.
func render(t *testing.T, values map[string]any, version string) ([]map[string]any, error) {
	t.Helper()
	chart, err := loader.LoadDir(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	caps := chartutil.DefaultCapabilities.Copy()
	kube, err := chartutil.ParseKubeVersion(version)
	if err != nil {
		t.Fatal(err)
	}
	caps.KubeVersion = *kube
	if !chartutil.IsCompatibleRange(chart.Metadata.KubeVersion, kube.Version) {
		t.Fatalf("the chart takes Kubernetes %s, not %s", chart.Metadata.KubeVersion, kube.Version)
	}
	vals, err := chartutil.ToRenderValues(chart, values, chartutil.ReleaseOptions{Name: "prod", Namespace: "trust", Revision: 1, IsInstall: true}, caps)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(chart, vals)
	if err != nil {
		return nil, err
	}
	var objects []map[string]any
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(name, "NOTES.txt") {
			if strings.TrimSpace(files[name]) == "" {
				t.Error("NOTES.txt says nothing")
			}
			continue
		}
		for document := range strings.SplitSeq("\n"+files[name], "\n---") {
			var object map[string]any
			// Strict: a key that stands twice is a mistake that Kubernetes would not see.
			if err := yaml.UnmarshalStrict([]byte(document), &object); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, document)
			}
			if len(object) > 0 {
				objects = append(objects, object)
			}
		}
	}
	return objects, nil
}

func TestChartPassesHelmsLinter(t *testing.T) {
	t.Parallel()
	for name, values := range releases(t) {
		for _, m := range lint.All(chartDir, values, "trust", true).Messages {
			if !strings.Contains(m.Err.Error(), "icon is recommended") {
				t.Errorf("%s: %v", name, m)
			}
		}
	}
}

func TestChartFitsKubernetes(t *testing.T) {
	t.Parallel()
	dir := tools(t)
	for _, version := range kubernetes {
		schemas := newSchemas(t, dir, version)
		kinds := map[string]bool{}
		for name, values := range releases(t) {
			objects, err := render(t, values, version)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for _, o := range objects {
				kinds[o["kind"].(string)] = true
				if err := schemas.check(o); err != nil {
					t.Errorf("%s, Kubernetes %s, %s: %v", name, version, o["kind"], err)
				}
			}
		}
		for _, kind := range []string{
			"ConfigMap", "Deployment", "HorizontalPodAutoscaler", "Ingress", "Job", "NetworkPolicy", "Pod", "PodDisruptionBudget", "PodMonitor", "PrometheusRule",
			"Service", "ServiceAccount", "ServiceMonitor",
		} {
			if !kinds[kind] {
				t.Errorf("no values made a %s", kind)
			}
		}
	}
}

func TestValuesSchemaRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`replicas: 3`:                                 "replicas",
		`replicaCount: "3"`:                           "replicaCount",
		`config: {server: {}}`:                        "config",
		`secrets: {service: []}`:                      "service",
		`image: {digest: latest}`:                     "digest",
		`metrics: {monitor: yes}`:                     "monitor",
		`networkPolicy: {egressPorts: [0]}`:           "egressPorts",
		`ingress: {enabled: true}`:                    "ingress.hosts",
		`autoscaling: {enabled: true, cpu: 0}`:        "something to go by",
		`models: {existingClaim: registry}`:           "models: {location: /var/lib/hitl/models}",
		`telemetry: {otlpEndpoint: "collector:4318"}`: "otlpEndpoint",
		`{config: "a: 1", telemetry: {otlpEndpoint: "http://collector:4318"}}`: "HITL_OTLP_ENDPOINT",
		`terminationGracePeriodSeconds: 5`:                                     "terminationGracePeriodSeconds",
	} {
		if _, err := render(t, parse(t, text), kubernetes[0]); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// TestConfigurations holds what lands in the pods against the command itself, as the service and as the migration see it.
func TestConfigurations(t *testing.T) {
	t.Parallel()
	for name, values := range releases(t) {
		objects, err := render(t, values, kubernetes[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objects {
			if o["kind"] != "ConfigMap" {
				continue
			}
			config := at(o, "data", "hitl.yaml").(string)
			if !strings.Contains(config, `metrics_listen: ":9090"`) || strings.Contains(config, "\n  listen:") {
				t.Errorf("%s: its ports are not those of the pod", name)
			}
			if strings.HasSuffix(at(o, "metadata", "name").(string), "-migrate") {
				checkConfig(t, config, "/etc/hitl/secrets/")
			} else {
				checkConfig(t, config, "/etc/hitl/secrets/", "postgres_migrate_url")
			}
		}
	}
}
