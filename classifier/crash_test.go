package classifier

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"hitl/classifier/internal/model"
)

// crashVariable makes of the test binary a process that classifies its arguments and dies when the network sees one that begins with "!".
// It names the file of its attempts.
const crashVariable = "HITL_TEST_CRASH_FILE"

// A text that kills every process that tries it, in company each time, is given up after as many deaths as it may cause. The texts beside it
// are suspected of the first only, and get their answers.
func TestProcessDies(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "attempts")
	const most = 3
	waiting := []string{"a", "!poison", "b", "c", "d", "a longer text, of another batch"}
	answers := map[string]string{}
	deaths := 0
	for len(waiting) > 0 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], waiting...)
		cmd.Env = append(os.Environ(), crashVariable+"="+file)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		err := cmd.Run()
		if err != nil {
			deaths++
		}
		if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() > 0) || deaths > most {
			t.Fatalf("process %d: %v: %s", deaths, err, &errs)
		}
		for line := range strings.Lines(out.String()) {
			var said [2]string
			if err := json.Unmarshal([]byte(line), &said); err != nil {
				t.Fatal(err)
			}
			answers[said[0]] = said[1]
		}
		var rest []string // upstream sends what was not answered again
		for _, text := range waiting {
			if _, ok := answers[text]; !ok {
				rest = append(rest, text)
			}
		}
		if deaths == most && err != nil && !slices.Equal(rest, []string{"!poison"}) {
			t.Errorf("after death %d wait %q; the poison is known by then and runs last", deaths, rest)
		}
		waiting = rest
	}
	if deaths != most {
		t.Errorf("%d deaths, want %d", deaths, most)
	}
	for text, said := range answers {
		want := "YES"
		if text == "!poison" {
			want = fmt.Sprintf("model error: the text killed the process %d times and is not tried again", most)
		}
		if said != want {
			t.Errorf("%s: %s, want %s", text, said, want)
		}
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	open := map[string]int{} // attempts without an end
	for line := range strings.Lines(string(raw)) {
		var verb, key, process string
		if _, err := fmt.Sscan(line, &verb, &key, &process); err != nil {
			t.Fatal(err)
		}
		open[key] += map[string]int{"begin": 1, "end": -1, "survived": -1}[verb]
	}
	for text := range answers {
		n, want := open[fmt.Sprintf("%x", attemptKey("sha256:fake", text))], 1
		if text == "!poison" {
			want = most
		}
		if n > want {
			t.Errorf("%d processes died in attempts at %s, want %d at most", n, text, want)
		}
	}
}

// crash is what the process does.
func crash(file string, texts []string) int {
	hold := make(chan struct{})
	e := &fakeEngine{run: func(rows [][]uint32) ([][]float32, error) {
		<-hold
		for _, row := range rows {
			if row[0] == '!' {
				self, err := os.FindProcess(os.Getpid())
				if err != nil {
					panic(err)
				}
				_ = self.Kill()
				select {} // until the signal is there
			}
		}
		return answers(rows), nil
	}}
	attempts := &fileAttempts{path: file}
	o, err := Options{Attempts: attempts, MaxAttempts: 3}.withDefaults()
	if err != nil {
		panic(err)
	}
	c := start(&model.Model{Labels: []string{"NO", "YES"}, MaxTokens: 1000, Tokenizer: fakeTokenizer{}, Version: "sha256:fake"}, e, o)
	var group sync.WaitGroup
	var mu sync.Mutex
	classify := func(text string, say bool) {
		group.Go(func() {
			p, err := c.Classify(context.Background(), text)
			said := p.Label
			if err != nil {
				said = err.Error()
			}
			mu.Lock()
			defer mu.Unlock()
			if say {
				_ = json.NewEncoder(os.Stdout).Encode([2]string{text, said})
			}
		})
	}
	classify(holder, false)
	until(func() bool { return c.worker.runningFor() > 0 })
	for i, text := range texts {
		classify(text, true)
		until(func() bool { return c.Queued() == i+1 })
	}
	close(hold) // all are one batch
	group.Wait()
	if err := errors.Join(c.Close(), attempts.write(strings.Join(attempts.ended, ""))); err != nil {
		panic(err)
	}
	return 0
}

func until(ok func() bool) {
	for !ok() {
		runtime.Gosched()
	}
}

// fileAttempts keeps attempts in a file that only grows: "begin KEY PROCESS", "end KEY PROCESS". Every process but this one is dead.
type fileAttempts struct {
	path  string
	mu    sync.Mutex
	ended []string
}

func (f *fileAttempts) Begin(_ context.Context, keys [][32]byte, again bool) (dead, alive []int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	raw, err := os.ReadFile(f.path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, nil, err
	}
	open := map[string]map[string]bool{} // by key: processes
	lines := strings.Join(f.ended, "")
	for line := range strings.Lines(string(raw) + lines) {
		var verb, key, process string
		if _, err := fmt.Sscan(line, &verb, &key, &process); err != nil {
			return nil, nil, err
		}
		if open[key] == nil {
			open[key] = map[string]bool{}
		}
		switch verb {
		case "begin":
			open[key][process] = true
		case "end":
			delete(open[key], process)
		case "survived":
			clear(open[key])
		}
	}
	for _, key := range keys {
		others := len(open[fmt.Sprintf("%x", key)])
		dead, alive = append(dead, others), append(alive, 0)
		if again || others == 0 {
			lines += fmt.Sprintf("begin %x %d\n", key, os.Getpid())
		}
	}
	f.ended = nil
	return dead, alive, f.write(lines)
}

func (f *fileAttempts) write(lines string) error {
	w, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = w.WriteString(lines)
	return errors.Join(err, w.Close())
}

func (f *fileAttempts) End(keys [][32]byte, survived bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	verb := map[bool]string{false: "end", true: "survived"}[survived]
	for _, key := range keys {
		f.ended = append(f.ended, fmt.Sprintf("%s %x %d\n", verb, key, os.Getpid()))
	}
}
