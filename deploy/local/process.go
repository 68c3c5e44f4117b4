package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// stopGrace is how long a server may take to stop by itself before it is
// killed.
const stopGrace = 10 * time.Second

// process is one running server program. One goroutine owns it from start to
// exit; done is closed when that goroutine has seen the program's end.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // why it ended; read after done
}

// startProcess runs path with args as who (nil: as we are), its output
// appended to the file at logPath.
//
// The goroutine that starts the program keeps its thread until the program
// ends: Linux sends the parent-death signal when the starting thread dies,
// not the process.
//
// Its working folder is the root: ours may be closed to who. Orphaned is the
// signal that the program gets when we die. The end of ctx does not end it.
func startProcess(ctx context.Context, path string, args []string, logPath string, who *account, orphaned syscall.Signal) (*process, error) {
	logFile, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open server log: %w", err)
	}
	defer func() { _ = logFile.Close() }()

	cmd := exec.CommandContext(context.WithoutCancel(ctx), path, args...)
	cmd.Dir = "/"
	cmd.Env = cleanEnv()
	cmd.Stdout, cmd.Stderr = logFile, logFile
	if err := ownedByUs(cmd, who, orphaned); err != nil {
		return nil, err
	}

	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.done)
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		release := guard(cmd.Process.Pid, orphaned)
		started <- nil
		p.err = cmd.Wait()
		release()
	}()
	if err := <-started; err != nil {
		<-p.done
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	return p, nil
}

// cleanEnv is our environment without the variables by which PostgreSQL
// programs would take another server's settings for their own.
func cleanEnv() []string {
	var env []string
	for _, kv := range os.Environ() {
		if strings.HasPrefix(kv, "PG") || strings.HasPrefix(kv, "LC_") || strings.HasPrefix(kv, "LANG") {
			continue
		}
		env = append(env, kv)
	}
	return append(env, "LC_ALL=C")
}

func (p *process) exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// stop sends soft, waits for the program to end, and kills it when that takes
// longer than stopGrace or ctx allows. The program has ended when stop
// returns. The error says that it had to be killed.
func (p *process) stop(ctx context.Context, soft os.Signal) error {
	if p.exited() {
		return nil
	}
	if err := p.cmd.Process.Signal(soft); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return errors.Join(fmt.Errorf("signal server: %w", err), p.kill())
	}
	timer := time.NewTimer(stopGrace)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
	case <-timer.C:
	}
	return errors.Join(errors.New("server did not stop in time and was killed"), p.kill())
}

// kill ends the program at once and waits for its end.
func (p *process) kill() error {
	err := p.cmd.Process.Signal(syscall.SIGKILL)
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("kill server: %w", err)
	}
	<-p.done
	return nil
}

// logTail returns the last lines of a server's log for an error message.
func logTail(path string) string {
	const most = 2000
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	if end, err := f.Seek(0, io.SeekEnd); err == nil && end > most {
		_, _ = f.Seek(end-most, io.SeekStart)
	} else {
		_, _ = f.Seek(0, io.SeekStart)
	}
	tail, _ := io.ReadAll(io.LimitReader(f, most))
	return strings.TrimSpace(string(tail))
}
