package check

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"
)

// schemas are those of one version of Kubernetes, in which keys that it does not know are mistakes.
type schemas struct {
	dir      string
	compiler *jsonschema.Compiler
}

func newSchemas(t *testing.T, tools, version string) *schemas {
	t.Helper()
	s := &schemas{
		dir:      filepath.Join(tools, "kubernetes_validate", "kubernetes-json-schema", "v"+version+"-local-strict"),
		compiler: jsonschema.NewCompiler(),
	}
	definitions, err := s.load("_definitions")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.compiler.AddResource(definitions.(map[string]any)["$id"].(string), definitions); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *schemas) load(name string) (any, error) {
	f, err := os.Open(filepath.Join(s.dir, name+".json"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return jsonschema.UnmarshalJSON(f)
}

// group matches an apiVersion with the first part of its group.
var group = regexp.MustCompile(`^([^./]*)(?:\.[^/]*)?/`)

// check says what is wrong with an object. Objects of the Prometheus Operator are held against its own types.
func (s *schemas) check(object map[string]any) error {
	kind, _ := object["kind"].(string)
	version, _ := object["apiVersion"].(string)
	if version == "monitoring.coreos.com/v1" {
		return checkMonitoring(kind, object)
	}
	// apps/v1 Deployment is in deployment-apps-v1, networking.k8s.io/v1 Ingress in ingress-networking-v1.
	name := strings.ToLower(kind) + "-" + group.ReplaceAllString(version, "$1-")
	schema, err := s.load(name)
	if err != nil {
		return err
	}
	id := schema.(map[string]any)["$id"].(string)
	if err := s.compiler.AddResource(id, schema); err != nil {
		if _, exists := err.(*jsonschema.ResourceExistsError); !exists { //nolint:errorlint // it is returned as it is
			return err
		}
	}
	compiled, err := s.compiler.Compile(id)
	if err != nil {
		return err
	}
	return compiled.Validate(object)
}

func checkMonitoring(kind string, object map[string]any) error {
	into := map[string]any{"PodMonitor": &monitoring.PodMonitor{}, "ServiceMonitor": &monitoring.ServiceMonitor{}, "PrometheusRule": &monitoring.PrometheusRule{}}[kind]
	if into == nil {
		return fmt.Errorf("no type for a %s", kind)
	}
	data, err := json.Marshal(object)
	if err != nil {
		return err
	}
	if err := yaml.UnmarshalStrict(data, into); err != nil {
		return err
	}
	if rule, ok := into.(*monitoring.PrometheusRule); ok && len(rule.Spec.Groups) == 0 {
		return fmt.Errorf("it holds no rules")
	}
	return nil
}

// TestSchemasRefuse shows that what TestChartFitsKubernetes passes could fail.
func TestSchemasRefuse(t *testing.T) {
	t.Parallel()
	s := newSchemas(t, tools(t), kubernetes[0])
	for name, text := range map[string]string{
		"an unknown key":  `{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {port: 80}}`,
		"a wrong type":    `{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {replicas: many, selector: {}, template: {}}}`,
		"a missing key":   `{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {template: {}}}`,
		"an unknown kind": `{apiVersion: v1, kind: Servise, metadata: {name: a}}`,
		"a key of rules":  `{apiVersion: monitoring.coreos.com/v1, kind: PrometheusRule, spec: {groups: [{name: a, rule: []}]}}`,
	} {
		if err := s.check(parse(t, text)); err == nil {
			t.Errorf("%s passes", name)
		}
	}
	if err := s.check(parse(t, `{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 80}]}}`)); err != nil {
		t.Errorf("what is right does not pass: %v", err)
	}
}
