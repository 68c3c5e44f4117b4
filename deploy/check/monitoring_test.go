package check

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
	"sigs.k8s.io/yaml"
)

// inside reads the file that a service sees at a path, or fails; a mount of a folder holds what is in it.
func inside(t *testing.T, s types.ServiceConfig, path string) string {
	t.Helper()
	for _, v := range s.Volumes {
		if rest, ok := strings.CutPrefix(path, v.Target); ok && v.Type == types.VolumeTypeBind {
			return read(t, filepath.Join(v.Source, rest))
		}
	}
	t.Fatalf("%s mounts nothing at %s", s.Name, path)
	return ""
}

// TestComposePrometheus follows what Prometheus is told to read and to scrape.
func TestComposePrometheus(t *testing.T) {
	t.Parallel()
	project := composed(t)
	s := project.Services["prometheus"]
	const at = "/etc/prometheus/prometheus.yml"
	if s.Command[0] != "--config.file="+at {
		t.Fatalf("Prometheus is started with %v", s.Command)
	}
	var config struct {
		RuleFiles     []string `json:"rule_files"`
		ScrapeConfigs []struct {
			JobName string `json:"job_name"`
			DNS     []struct {
				Names []string
				Port  int
			} `json:"dns_sd_configs"`
		} `json:"scrape_configs"`
	}
	if err := yaml.Unmarshal([]byte(inside(t, s, at)), &config); err != nil {
		t.Fatal(err)
	}
	if len(config.RuleFiles) == 0 {
		t.Error("it reads no rules")
	}
	for _, name := range config.RuleFiles {
		if !strings.Contains(inside(t, s, filepath.Join(filepath.Dir(at), name)), "alert: HitlReplicaDown") {
			t.Errorf("%s does not hold the alerts", name)
		}
	}
	hitl := config.ScrapeConfigs[0]
	if hitl.JobName != "hitl" || project.Services[hitl.DNS[0].Names[0]].Name != "hitl" || hitl.DNS[0].Port != 9090 {
		t.Errorf("it does not scrape hitl: %+v", hitl)
	}
}

// TestComposeGrafana follows what Grafana provisions: a source of data, by the address of Prometheus, and the dashboard.
func TestComposeGrafana(t *testing.T) {
	t.Parallel()
	project := composed(t)
	s := project.Services["grafana"]
	var sources struct{ Datasources []struct{ URL, Type string } }
	text := inside(t, s, "/etc/grafana/provisioning/datasources/prometheus.yaml")
	for name, value := range s.Environment {
		text = strings.ReplaceAll(text, "${"+name+"}", *value)
	}
	if err := yaml.Unmarshal([]byte(text), &sources); err != nil {
		t.Fatal(err)
	}
	if d := sources.Datasources; len(d) != 1 || d[0].Type != "prometheus" || d[0].URL != "http://prometheus:9090" {
		t.Errorf("Grafana asks %+v", d)
	}
	var shared bool
	for name := range project.Services["prometheus"].Networks {
		_, ok := s.Networks[name]
		shared = shared || ok
	}
	if !shared {
		t.Error("Grafana and Prometheus share no network")
	}

	var dashboards struct {
		Providers []struct{ Options struct{ Path string } }
	}
	if err := yaml.Unmarshal([]byte(inside(t, s, "/etc/grafana/provisioning/dashboards/hitl.yaml")), &dashboards); err != nil {
		t.Fatal(err)
	}
	var dashboard struct{ Panels []any }
	if err := json.Unmarshal([]byte(inside(t, s, filepath.Join(dashboards.Providers[0].Options.Path, "hitl.json"))), &dashboard); err != nil || len(dashboard.Panels) == 0 {
		t.Errorf("the dashboard has no panels: %v", err)
	}
}
