package config

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

func TestSecretsNeverPrint(t *testing.T) {
	t.Parallel()
	c, err := Parse(Example(), envOf(exampleEnv))
	if err != nil {
		t.Fatal(err)
	}
	secret := NewSecret(secretWord)
	inner := struct {
		s  Secret // fmt cannot call its methods here
		ss []Secret
		m  map[string]Secret
	}{secret, []Secret{secret}, map[string]Secret{"a": secret}}
	var out bytes.Buffer
	for _, v := range []any{c, *c, secret, &secret, inner, &inner, []Secret{secret}, c.Sources, c.Slack} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%c", "%U", "%e", "%T"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
	}
	for _, v := range []any{c, secret, &secret, map[string]Secret{"a": secret}} {
		j, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		y, err := yaml.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(j, y...))
	}
	x, err := xml.Marshal(secret)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(x)
	text := out.String()
	hexed := fmt.Sprintf("%x", secretWord)
	for _, leak := range []string{secretWord, hexed, strings.ToUpper(hexed), webhookSecret, fmt.Sprintf("%d", []byte(secretWord))} {
		if i := strings.Index(text, leak); i >= 0 {
			t.Errorf("%q leaks: …%s…", leak, text[max(0, i-80):min(len(text), i+80)])
		}
	}
	if !strings.Contains(text, redacted) {
		t.Error("nothing shows that secrets were there")
	}
}

func TestSecret(t *testing.T) {
	t.Parallel()
	var empty Secret
	full := NewSecret("x")
	switch {
	case !empty.IsZero(), !NewSecret("").IsZero(), full.IsZero():
		t.Error("IsZero")
	case empty.Reveal() != "", full.Reveal() != "x":
		t.Error("Reveal")
	case !full.Equal(NewSecret("x")), full.Equal(empty), !empty.Equal(NewSecret("")):
		t.Error("Equal")
	case empty.String() != "", full.String() != redacted, fmt.Sprintf("%#v", full) != `config.Secret("[redacted]")`:
		t.Error("String")
	}
}

func TestReferences(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, empty := filepath.Join(dir, "token"), filepath.Join(dir, "empty")
	for path, text := range map[string]string{file: "xoxb-from-file\r\n", empty: "\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l := lookup{envOf(map[string]string{"A": "alpha", "EMPTY": "", "ODD": "${A} $${A} \n: #"}), readSecretFile}
	for in, want := range map[string]string{
		"":                     "",
		"plain $ {A} $A":       "plain $ {A} $A",
		"${A}":                 "alpha",
		"<${A}-${A}>":          "<alpha-alpha>",
		"${A:-x}":              "alpha",
		"${EMPTY}":             "",
		"${EMPTY:-x}":          "x",
		"${NONE:-}":            "",
		"${NONE:-a:-b $}":      "a:-b $",
		"$${A}":                "${A}",
		"$$${A}":               "$${A}",
		"$${":                  "${",
		"${ODD}":               "${A} $${A} \n: #",
		"${file:" + file + "}": "xoxb-from-file",

		"${file:" + file + ":-x}":   "xoxb-from-file",
		"${file:" + file + ".y:-x}": "x",
		"${file:" + empty + "}":     "",
		"${file:" + empty + ":-x}":  "x",
		"${file:/none:-}":           "",
	} {
		if got, _, err := l.expand(in); err != nil || got != want {
			t.Errorf("expand(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		"${NONE}":                     "NONE is not set",
		"${A":                         "never closed",
		"${}":                         "a reference is",
		"${A-x}":                      "a reference is",
		"${1A}":                       "a reference is",
		"${file:" + file + "x}":       "no such file",
		"${file:" + t.TempDir() + "}": "no regular file",
		"${file:/dev/zero}":           "no regular file",
		"${file:/dev/zero:-x}":        "no regular file",
	} {
		if got, _, err := l.expand(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expand(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	if _, _, err := (lookup{file: readSecretFile}).expand("${A}"); err == nil {
		t.Error("a variable was found without an environment")
	}
	// Who runs the tests may be allowed to read everything.
	closed := lookup{file: func(path string) (string, error) {
		return "", &fs.PathError{Op: "open", Path: path, Err: fs.ErrPermission}
	}}
	for _, in := range []string{"${file:/run/secrets/x}", "${file:/run/secrets/x:-default}"} {
		got, _, err := closed.expand(in)
		if want := fmt.Sprintf("open /run/secrets/x: permission denied: let user %d", os.Getuid()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expand(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestReferencesInFiles(t *testing.T) {
	t.Parallel()
	text := strings.ReplaceAll(minimal, `"postgres://hitl@localhost/hitl"`, `"${URL}"`) + `
redis: {addrs: "${ADDRS}", mode: cluster, db: "${DB:-0}"}
server: {max_body: "${SIZE}"}
log: {level: '${LEVEL}'}
classifiers:
  default: {onnxruntime: "$${x}"}
`
	c, err := Parse([]byte(text), envOf(map[string]string{
		"URL": "postgres://u@h/d?x=a: 'b\"} # c", "ADDRS": "a:1, b:2,", "SIZE": "1MiB", "LEVEL": "WARN",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Postgres.URL.Reveal(); got != "postgres://u@h/d?x=a: 'b\"} # c" {
		t.Errorf("url = %q", got)
	}
	if fmt.Sprint(c.Redis.Addrs) != "[a:1 b:2]" || c.Server.MaxBody != 1<<20 || c.Log.Level != slog.LevelWarn {
		t.Errorf("%v %v %v", c.Redis.Addrs, c.Server.MaxBody, c.Log.Level)
	}
	if c.Classifiers["default"].ONNXRuntime != "${x}" {
		t.Errorf("onnxruntime = %q", c.Classifiers["default"].ONNXRuntime)
	}
}
