package config

import (
	"maps"
	"net/url"
	"slices"
)

// Telemetry is where OpenTelemetry traces go.
type Telemetry struct {
	// OTLPEndpoint is a collector that takes OTLP over HTTP, "http://collector:4318"; /v1/traces is added. Empty: nothing is recorded.
	OTLPEndpoint string `yaml:"otlp_endpoint"`
	// Headers are sent with each export.
	Headers map[string]Secret `yaml:"headers"`
	// Sample is the share of traces that are recorded, of those that begin here. One that an upstream began follows its decision.
	Sample float64 `yaml:"sample" default:"0.05" min:"0" max:"1"`
	// ServiceName is what the service is called there.
	ServiceName string `yaml:"service_name" default:"hitl" required:"true"`
}

func (t Telemetry) validate(ps *problems) {
	checkURL(ps, "telemetry.otlp_endpoint", t.OTLPEndpoint, true)
	if u, err := url.Parse(t.OTLPEndpoint); err == nil && (u.User != nil || u.RawQuery != "" || u.Fragment != "") {
		ps.add("telemetry.otlp_endpoint", "may have neither a password, a query nor a fragment; secrets belong under headers")
	}
	for _, name := range slices.Sorted(maps.Keys(t.Headers)) {
		path := join("telemetry.headers", name)
		if !headerForm.MatchString(name) {
			ps.add(path, `must be the name of a header: letters, digits and "-"`)
		}
		if t.Headers[name].IsZero() {
			ps.add(path, "is empty")
		}
	}
	if t.OTLPEndpoint == "" && len(t.Headers) > 0 {
		ps.add("telemetry.headers", "have a meaning with otlp_endpoint only")
	}
}
