package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// stopLeftover stops a server that still runs in dataDir although its owner
// is gone: we hold the folder's lock, so nobody else wants it. A pid file
// that names a stranger's process, after a reboot for instance, is removed,
// because PostgreSQL would take the stranger for its predecessor. A pid file
// that names no process is left to PostgreSQL, which knows more about it.
func stopLeftover(ctx context.Context, dataDir string) error {
	path := filepath.Join(dataDir, "postmaster.pid")
	content, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read pid file: %w", err)
	}
	first, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid <= 1 {
		// PostgreSQL writes the file before its content; it says so itself.
		return removeFile(path)
	}
	command := commandLine(ctx, pid)
	if command == "" {
		return nil
	}
	if !strings.Contains(command, dataDir) {
		return removeFile(path)
	}
	proc, err := os.FindProcess(pid)
	if err != nil {
		return fmt.Errorf("find leftover postgres: %w", err)
	}
	soft := time.Now().Add(stopGrace)
	signal := os.Signal(syscall.SIGINT)
	for {
		if err := proc.Signal(signal); errors.Is(err, os.ErrProcessDone) {
			return nil
		} else if err != nil {
			return fmt.Errorf("stop leftover postgres %d: %w", pid, err)
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("wait for leftover postgres %d: %w", pid, err)
		}
		if !strings.Contains(commandLine(ctx, pid), dataDir) {
			return nil
		}
		if time.Now().After(soft) {
			signal = syscall.SIGKILL
		}
	}
}

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove stale pid file: %w", err)
	}
	return nil
}

// commandLine returns the command line of a process, "" when there is no
// such process or only its zombie.
func commandLine(ctx context.Context, pid int) string {
	if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil {
		return strings.ReplaceAll(string(line), "\x00", " ")
	}
	out, err := exec.CommandContext(ctx, "ps", "-p", strconv.Itoa(pid), "-o", "command=").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
