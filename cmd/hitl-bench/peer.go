package main

import (
	"context"
	_ "embed"
	"fmt"
	"net/url"
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
	u, err := url.Parse(dsn)
	if err != nil {
		return "", fmt.Errorf("postgres address: %w", err)
	}
	u.Scheme = "postgresql+psycopg"
	env := append(os.Environ(), "DATABASE_URL="+u.String(), "MODEL="+model, "THRESHOLD=0.85", "PYTHONPATH="+dir)
	tables := exec.CommandContext(ctx, python, filepath.Join(dir, "server.py"))
	tables.Env = env
	if out, err := tables.CombinedOutput(); err != nil {
		return "", fmt.Errorf("make the peer's tables: %w\n%s", err, out)
	}
	versions, err := exec.CommandContext(ctx, python, "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check").Output()
	if err != nil {
		return "", fmt.Errorf("ask for the peer's versions: %w", err)
	}
	for line := range strings.Lines(string(versions)) {
		name, version, _ := strings.Cut(strings.TrimSpace(line), "==")
		switch name {
		case "fastapi", "SQLAlchemy", "uvicorn":
			b.peers[name] = version
		case "onnxruntime":
			b.peers["onnxruntime of the peer"] = version
		}
	}
	addr, err := freePort(ctx)
	if err != nil {
		return "", err
	}
	_, port, _ := strings.Cut(addr, ":")
	_, err = b.spawn(ctx, env, "http://"+addr+"/readyz", python, "-m", "uvicorn", "server:app", "--host", "127.0.0.1", "--port", port,
		"--workers", strconv.Itoa(runtime.NumCPU()), "--log-level", "warning", "--no-access-log")
	return "http://" + addr, err
}
