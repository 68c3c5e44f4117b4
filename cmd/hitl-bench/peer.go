package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"hitl/classifier/starter"
)

//go:embed peer/server.py
var peerServer string

// openStack holds the whole way of an item against a service of the usual parts, with the same model on the same kind of engine, the same clients,
// requests and Postgres, and a process for each core.
func openStack(ctx context.Context, b *bench) (*pair, error) {
	python, err := b.python()
	if err != nil {
		return nil, err
	}
	peer, err := b.servePeer(ctx, python)
	if err != nil {
		return nil, err
	}
	svc, err := b.serve(ctx, settings{ONNX: "auto"})
	if err != nil {
		return nil, err
	}
	ours, theirs := b.newClients(svc.url, 1), b.newClients(peer, 1)
	items, fewer := b.size(12_800, 640), b.size(2560, 128) // so that both take seconds
	return &pair{
		unit: "items/s",
		ours: func(ctx context.Context) (float64, error) { return ours.run(ctx, items) },
		peer: func(ctx context.Context) (float64, error) { return theirs.run(ctx, fewer) },
		note: func() string {
			return fmt.Sprintf("the starter model on both sides, %d clients; the peer: %d uvicorn workers, ONNX Runtime, a session of SQLAlchemy for each request",
				clientCount, runtime.NumCPU())
		},
	}, nil
}

// servePeer starts the peer's service on a database of its own, and returns its URL.
func (b *bench) servePeer(ctx context.Context, python string) (string, error) {
	dir := filepath.Join(b.dir, b.name("peer"))
	model := filepath.Join(dir, "model")
	if err := os.CopyFS(model, starter.FS()); err != nil {
		return "", fmt.Errorf("write the starter model: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "server.py"), []byte(peerServer), 0o600); err != nil {
		return "", err
	}
	dsn, err := b.database(ctx, "peer")
	if err != nil {
		return "", err
	}
	_, address, _ := strings.Cut(dsn, "://")
	env := append(os.Environ(), "DATABASE_URL=postgresql+psycopg://"+address, "MODEL="+model, "THRESHOLD=0.85", "PYTHONPATH="+dir)
	tables := exec.CommandContext(ctx, python, filepath.Join(dir, "server.py"))
	tables.Env = env
	if out, err := tables.CombinedOutput(); err != nil {
		return "", fmt.Errorf("make the peer's tables: %w\n%s", err, out)
	}
	if err := b.askVersions(ctx, python, map[string]string{
		"fastapi": "fastapi", "SQLAlchemy": "SQLAlchemy", "uvicorn": "uvicorn", "uvloop": "uvloop", "onnxruntime": "onnxruntime of the peer",
	}); err != nil {
		return "", err
	}
	return b.uvicorn(ctx, python, env, "/readyz", "server:app")
}

// askVersions notes the versions of Python packages, each under the name that is shown.
func (b *bench) askVersions(ctx context.Context, python string, shown map[string]string) error {
	list, err := exec.CommandContext(ctx, python, "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check").Output()
	if err != nil {
		return fmt.Errorf("ask for the peer's versions: %w", err)
	}
	for line := range strings.Lines(string(list)) {
		name, version, _ := strings.Cut(strings.TrimSpace(line), "==")
		if as := shown[name]; as != "" {
			b.peers[as] = version
		}
	}
	return nil
}

// uvicorn serves an application with a worker for each core, and returns its URL once it answers at a path.
func (b *bench) uvicorn(ctx context.Context, python string, env []string, ready, app string) (string, error) {
	addr, err := freePort(ctx)
	if err != nil {
		return "", err
	}
	_, port, _ := strings.Cut(addr, ":")
	_, err = b.spawn(ctx, env, "http://"+addr+ready, python, "-m", "uvicorn", app, "--host", "127.0.0.1", "--port", port,
		"--workers", strconv.Itoa(runtime.NumCPU()), "--log-level", "warning", "--no-access-log",
		// A worker that is silent for so many seconds is killed. Of the default, 5, a busy machine takes more for the imports alone,
		// and then no worker ever begins to listen.
		"--timeout-worker-healthcheck", "120")
	return "http://" + addr, err
}
