package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"
)

// maxSecretFileBytes bounds what ${file:…} reads.
const maxSecretFileBytes = 64 << 10

// lookup is where references lead.
type lookup struct {
	env  func(string) (string, bool)
	file func(string) (string, error)
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// expand replaces the references in a value and says whether there were any. What it puts in is not looked at again. Errors never
// hold the value.
func (l lookup) expand(s string) (out string, replaced bool, err error) {
	var b strings.Builder
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			b.WriteString(s)
			return b.String(), replaced, nil
		}
		if i > 0 && s[i-1] == '$' { // $${ is ${
			b.WriteString(s[:i-1] + "${")
			s = s[i+2:]
			continue
		}
		b.WriteString(s[:i])
		ref, rest, ok := strings.Cut(s[i+2:], "}")
		if !ok {
			return "", true, fmt.Errorf("a ${ is never closed; write $${ for the characters themselves")
		}
		value, err := l.resolve(ref)
		if err != nil {
			return "", true, err
		}
		b.WriteString(value)
		s, replaced = rest, true
	}
}

func (l lookup) resolve(ref string) (string, error) {
	if path, ok := strings.CutPrefix(ref, "file:"); ok {
		return l.resolveFile(path)
	}
	name, fallback, hasFallback := strings.Cut(ref, ":-")
	if !envName.MatchString(name) {
		return "", fmt.Errorf("a reference is ${NAME}, ${NAME:-default}, ${file:PATH} or ${file:PATH:-default}; write $${ for the characters themselves")
	}
	value, set := "", false
	if l.env != nil {
		value, set = l.env(name)
	}
	switch {
	case hasFallback && value == "":
		return fallback, nil
	case !set:
		return "", fmt.Errorf("the environment variable %s is not set; set it, or write ${%s:-default}", name, name)
	}
	return value, nil
}

// resolveFile reads PATH or PATH:-default. The default stands for a file that is missing or empty, and for nothing else: one that cannot be read
// is a mistake that would otherwise pass for a setting.
func (l lookup) resolveFile(ref string) (string, error) {
	path, fallback, hasFallback := strings.Cut(ref, ":-")
	value, err := l.file(path)
	switch {
	case hasFallback && (errors.Is(err, fs.ErrNotExist) || err == nil && value == ""):
		return fallback, nil
	case errors.Is(err, fs.ErrPermission):
		return "", fmt.Errorf("%w: let user %d, whom this runs as, read it", err, os.Getuid())
	}
	return value, err
}

// readSecretFile returns what a file holds, without its last line break. Only regular files are read: a pipe would wait for ever.
func readSecretFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("read secret: %s is no regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxSecretFileBytes+1))
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	if len(data) > maxSecretFileBytes {
		return "", fmt.Errorf("read secret: %s is larger than %d bytes", path, maxSecretFileBytes)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r"), nil
}
