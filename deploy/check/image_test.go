//go:build image

package check

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// TestImage does what docker build does, without a container engine: the steps that the Dockerfile names, in a folder that holds the build's context
// and nothing else; then it runs the command in the tree that comes of it, alone there with the libraries that the base brings, without rights, with
// no environment but the image's, and on a read-only root filesystem whose /tmp is as small as the Dockerfile says.
func TestImage(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("NOT TESTED: only root can change the root folder and the user")
	}
	if out, err := exec.CommandContext(t.Context(), "unshare", "--mount", "true").CombinedOutput(); err != nil {
		t.Skipf("NOT TESTED: this machine lets nobody mount: %v: %s", err, out)
	}
	work := t.TempDir()
	if err := os.Chmod(work, 0o755); err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(work, "src")
	for _, name := range buildContext(t) {
		copyFile(t, filepath.Join(root, name), filepath.Join(source, name))
	}

	// The stages: each lays out a tree in /out.
	all := stages(t)
	outputs := map[string]string{}
	for _, stage := range all {
		out := filepath.Join(work, "out-"+stage.Name)
		switch stage.Name {
		case "build":
			wantRun(t, stage, "deploy/image/build.sh /out")
			// Without -trimpath, which deploy/release.sh tries, what the other steps of CI compiled is not compiled again.
			step(t, source, []string{"HITL_VERSION=v0.0.0-check", "GOFLAGS=-trimpath=false"}, "deploy/image/build.sh", out)
		case "onnxruntime":
			wantRun(t, stage, "onnxruntime.sh /out ${TARGETARCH}")
			step(t, source, nil, "deploy/image/onnxruntime.sh", out)
		}
		outputs[stage.Name] = out
	}
	final, tree := all[len(all)-1], filepath.Join(work, "tree")
	for _, c := range commands[*instructions.CopyCommand](final) {
		from, ok := strings.CutPrefix(c.SourcePaths[0], "/out")
		if !ok || len(c.SourcePaths) != 1 {
			t.Fatalf("COPY %v: not from /out", c.SourcePaths)
		}
		if err := os.CopyFS(filepath.Join(tree, c.DestPath), os.DirFS(filepath.Join(outputs[c.From], from))); err != nil {
			t.Fatal(err)
		}
	}
	base(t, tree)

	environment := env(final)
	run := func(args ...string) (string, error) {
		command := append([]string{"--mount", "sh", "-euc", readOnly, tree}, commands[*instructions.EntrypointCommand](final)[0].CmdLine...)
		cmd := exec.CommandContext(t.Context(), "unshare", append(command, args...)...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
		for name, value := range environment {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := run("version")
	if err != nil || !strings.Contains(out, "hitl v0.0.0-check") || !strings.Contains(out, "engine: ONNX Runtime") {
		t.Errorf("hitl version: %v\n%s", err, out)
	}
	t.Log(out)
	out, err = run("classify", "The staff were kind and the room was lovely.")
	if err != nil || !strings.Contains(out, "POSITIVE") {
		t.Errorf("hitl classify: %v\n%s", err, out)
	}
	t.Log(out)
	if out, err = run("ready"); err == nil || !strings.Contains(out, "connection refused") {
		t.Errorf("hitl ready, with nobody there: %v\n%s", err, out)
	}
	if out, err = run("serve"); err == nil || !strings.Contains(out, environment["HITL_CONFIG"]) {
		t.Errorf("hitl serve, without a configuration: %v\n%s", err, out)
	}
	// A user without rights cannot write anywhere but where the Dockerfile says.
	for _, dir := range []string{"/", "/etc/hitl", "/usr/local/bin", "/usr/local/lib"} {
		info, err := os.Stat(filepath.Join(tree, dir))
		if err != nil || info.Mode().Perm()&0o022 != 0 || info.Sys().(*syscall.Stat_t).Uid != 0 {
			t.Errorf("%s can be written: %v", dir, err)
		}
	}
}

// wantRun fails when a stage has no RUN that ends with what the test does in its place.
func wantRun(t *testing.T, stage instructions.Stage, command string) {
	t.Helper()
	for _, r := range commands[*instructions.RunCommand](stage) {
		if strings.HasSuffix(strings.Join(r.CmdLine, " "), command) {
			return
		}
	}
	t.Fatalf("stage %s does not run %s", stage.Name, command)
}

func step(t *testing.T, dir string, environment []string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, args[0]), args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), environment...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", args[0], err, out)
	}
}

// readOnly runs a command in a tree ($0), as the image's user, as docker run --read-only --tmpfs /tmp:size=4m does. The mounts end with it.
const readOnly = `
mount --bind "$0" "$0"
mount --options remount,bind,ro "$0"
mount --types tmpfs --options size=4m,mode=1777 tmp "$0/tmp"
mount --bind /proc "$0/proc"
cd /
exec chroot --userspec=65532:65532 --groups=65532 "$0" "$@"`

var library = regexp.MustCompile(`(?m)(?:=> |^\s+)(/\S+) \(`)

// base brings what gcr.io/distroless/cc brings of this machine: the C and C++ libraries, certificates, a /tmp. Nothing else is there, no shell, no
// /etc/passwd.
func base(t *testing.T, tree string) {
	t.Helper()
	for _, binary := range []string{"/usr/local/bin/hitl", "/usr/local/lib/libonnxruntime.so.1"} {
		out, err := exec.CommandContext(t.Context(), "ldd", filepath.Join(tree, binary)).Output()
		if err != nil {
			t.Fatalf("ldd %s: %v", binary, err)
		}
		for _, m := range library.FindAllStringSubmatch(string(out), -1) {
			copyFile(t, m[1], filepath.Join(tree, m[1]))
		}
	}
	for dir, mode := range map[string]os.FileMode{"tmp": 0o777 | os.ModeSticky, "proc": 0o755, "etc": 0o755, ".": 0o755} {
		path := filepath.Join(tree, dir)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	info, err := os.Stat(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, info.Mode().Perm()|0o444); err != nil {
		t.Fatal(err)
	}
}
