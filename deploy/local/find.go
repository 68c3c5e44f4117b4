package local

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// oldestPostgres is the first major version that hitl's schema supports.
const oldestPostgres = 14

// binaries is a folder with one version of PostgreSQL's programs.
type binaries struct {
	dir     string
	version string // as the server says it: "17.11"
	major   int
}

var versionNumber = regexp.MustCompile(`\(PostgreSQL\) ((\d+)(?:\.\d+|devel|beta\d+|rc\d+)?)`)

// findPostgres returns the usable installations on this machine, the one on
// PATH first, then the newest. A postgres that cannot be run, has no initdb
// of the same version beside it or is too old is passed over.
func findPostgres(ctx context.Context) []binaries {
	var folders []string
	if path, err := exec.LookPath("initdb"); err == nil {
		// A link on PATH leads to the folder with the other programs.
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		folders = append(folders, filepath.Dir(path))
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",         // Debian, Ubuntu
		"/usr/pgsql-*/bin",                  // PostgreSQL's own RPMs
		"/usr/libexec/postgresql*",          // Alpine
		"/opt/homebrew/opt/postgresql*/bin", // Homebrew on Apple silicon
		"/usr/local/opt/postgresql*/bin",    // Homebrew on Intel
		"/Applications/Postgres.app/Contents/Versions/*/bin",
		"/usr/local/pgsql/bin", // built from source
		"/usr/bin",             // Fedora, Arch
	} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			continue
		}
		folders = append(folders, found...)
	}
	var usable []binaries
	for i, dir := range folders {
		if slices.Contains(folders[:i], dir) {
			continue
		}
		if b, err := inspect(ctx, dir); err == nil {
			usable = append(usable, b)
		}
	}
	if len(usable) > 1 {
		rest := usable
		if len(folders) > 0 && usable[0].dir == folders[0] {
			rest = usable[1:]
		}
		slices.SortStableFunc(rest, func(a, b binaries) int { return b.major - a.major })
	}
	return usable
}

// inspect runs the two programs that matter in dir and compares their
// versions.
func inspect(ctx context.Context, dir string) (binaries, error) {
	server, major, err := versionOf(ctx, filepath.Join(dir, "postgres"))
	if err != nil {
		return binaries{}, err
	}
	initdb, _, err := versionOf(ctx, filepath.Join(dir, "initdb"))
	if err != nil {
		return binaries{}, err
	}
	if server != initdb {
		return binaries{}, fmt.Errorf("postgres %s and initdb %s in %s differ", server, initdb, dir)
	}
	if major < oldestPostgres {
		return binaries{}, fmt.Errorf("PostgreSQL %s in %s is older than %d", server, dir, oldestPostgres)
	}
	return binaries{dir: dir, version: server, major: major}, nil
}

func versionOf(ctx context.Context, program string) (version string, major int, err error) {
	if _, err := os.Stat(program); err != nil {
		return "", 0, fmt.Errorf("find program: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return "", 0, fmt.Errorf("run %s --version: %w", program, err)
	}
	match := versionNumber.FindSubmatch(out)
	if match == nil {
		return "", 0, fmt.Errorf("%s --version says %q", program, out)
	}
	major, err = strconv.Atoi(string(match[2]))
	if err != nil {
		return "", 0, fmt.Errorf("read version of %s: %w", program, err)
	}
	return string(match[1]), major, nil
}
