//go:build cgo

package engine

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// openRuntime needs the library: CI sets ONNXRUNTIME_LIB, and with it set there is no excuse.
func openRuntime(t testing.TB, name string) Engine {
	t.Helper()
	library, err := FindRuntime("", os.Getenv)
	if errors.Is(err, ErrNoRuntime) && os.Getenv(LibraryVariable) == "" && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	e, err := OpenRuntime(network(name), library, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func TestEnginesAgree(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"bert", "typed"} {
		pure, native := openGo(t, name), openRuntime(t, name)
		rows := someRows()
		a, b := run(t, pure, rows), run(t, native, rows)
		for i := range rows {
			if differ(a[i], b[i]) {
				t.Errorf("%s: row %d: %s %v, %s %v", name, i, pure.Name(), a[i], native.Name(), b[i])
			}
		}
	}
}

// What ONNX Runtime refuses is an error, and the session works afterwards.
func TestRuntimeRefuses(t *testing.T) {
	t.Parallel()
	e := openRuntime(t, "bert")
	if logits, err := e.Run([][]uint32{{1_000_000}}); err == nil {
		t.Errorf("an id beyond the vocabulary gives %v", logits)
	}
	run(t, e, [][]uint32{{1, 2, 3}})
	n := network("bert")
	n.Path = "engine_test.go"
	library, err := FindRuntime("", os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenRuntime(n, library, 0); err == nil {
		t.Error("loads a file that is no network")
	}
}

func TestOpenRuntimeWithoutLibrary(t *testing.T) {
	t.Parallel()
	if _, err := OpenRuntime(network("bert"), "engine_test.go", 0); err == nil {
		t.Error("loads a file that is no library")
	}
}

func BenchmarkRuntime(b *testing.B) { benchmark(b, openRuntime(b, "bert")) }

// Microsoft's builds write a device id into the user's cache folder and send events, unless they are told not to before they are loaded.
func TestRuntimeIsQuiet(t *testing.T) {
	openRuntime(t, "bert") // or there is none to try
	library, err := FindRuntime("", os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOpenRuntimeForQuiet$", "-test.v")
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+cache, "HOME="+cache, LibraryVariable+"="+library)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "it runs") {
		t.Fatalf("%v\n%s", err, out)
	}
	if left, err := os.ReadDir(cache); err != nil || len(left) > 0 {
		t.Errorf("ONNX Runtime wrote %v, %v", left, err)
	}
}

// It is what TestRuntimeIsQuiet runs in a process of its own.
func TestOpenRuntimeForQuiet(t *testing.T) {
	run(t, openRuntime(t, "bert"), someRows())
	t.Log("it runs")
}
