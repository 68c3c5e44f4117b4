package config

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"reflect"

	"github.com/goccy/go-yaml/ast"
)

//go:embed example.yaml
var example []byte

// Example returns a configuration file that holds every key with a comment.
func Example() []byte { return append([]byte(nil), example...) }

// Section is what New can make.
type Section interface {
	Config | Classifier | Policy | Rule | Queue | Source | HMAC | Mapping | Callback
}

// New returns a section with its defaults, for who builds a Config without a file.
func New[S Section]() S {
	var s S
	setDefaults(reflect.ValueOf(&s).Elem())
	return s
}

// Default returns what an empty file means. It lacks what has no default, so Validate does not accept it yet.
func Default() *Config {
	c := New[Config]()
	c.complete()
	return &c
}

// complete adds what is absent and has a meaning when it is.
func (c *Config) complete() {
	if c.Classifiers == nil {
		c.Classifiers = map[string]Classifier{"default": New[Classifier]()}
	}
	for name, m := range c.Classifiers {
		if m.Model == "" && len(m.Labels) == 0 {
			m.Model = "starter"
			c.Classifiers[name] = m
		}
	}
	if c.Policies == nil {
		c.Policies = map[string]Policy{"default": New[Policy]()}
	}
	if c.Postgres.MigrateURL.IsZero() {
		c.Postgres.MigrateURL = c.Postgres.URL
	}
}

// Load reads a configuration file. env is asked for the variables that it names, usually os.LookupEnv. When the file holds
// mistakes the error is an *Error that lists all of them.
func Load(path string, env func(string) (string, bool)) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return read(path, data, lookup{env, readSecretFile})
}

// Parse is Load for a text that was read already.
func Parse(data []byte, env func(string) (string, bool)) (*Config, error) {
	return read("config", data, lookup{env, readSecretFile})
}

func read(name string, data []byte, l lookup) (*Config, error) {
	doc, body, err := parse(name, data)
	if err != nil {
		return nil, err
	}
	c := New[Config]()
	d := &decoder{problems: newProblems(doc), lookup: l, anchors: map[string]ast.Node{}}
	if body != nil {
		d.node(body, reflect.ValueOf(&c).Elem(), "", 0)
	}
	c.complete()
	c.validate(d.problems)
	if err := d.err(); err != nil {
		return nil, err
	}
	return &c, nil
}

// Validate says what is wrong with a Config that was built by hand. The error is an *Error; its problems have no lines.
func (c *Config) Validate() error {
	ps := newProblems(nil)
	c.validate(ps)
	return ps.err()
}

// Problems returns the problems in an error of Load, Parse or Validate, or nil.
func Problems(err error) []Problem {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Problems
	}
	return nil
}
