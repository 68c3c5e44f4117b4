package hub

import (
	"fmt"
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows downloads: a bar on a terminal, else a line when a file begins.
type progress struct {
	out      io.Writer // nil: nothing is shown
	terminal bool
}

func newProgress(out io.Writer) progress {
	f, ok := out.(*os.File)
	return progress{out: out, terminal: ok && term.IsTerminal(int(f.Fd()))}
}

// begin shows that a file is downloaded, of which have bytes are there and total, -1 if unknown, will be.
func (p progress) begin(name string, have, total int64) shown {
	switch {
	case p.out == nil:
		return shown{}
	case !p.terminal:
		// Progress is a courtesy: a writer that fails must not fail the download.
		switch {
		case total < 0:
			_, _ = fmt.Fprintf(p.out, "downloading %s\n", name)
		case have > 0:
			_, _ = fmt.Fprintf(p.out, "downloading %s: %s, %s are there\n", name, megabytes(total), megabytes(have))
		default:
			_, _ = fmt.Fprintf(p.out, "downloading %s: %s\n", name, megabytes(total))
		}
		return shown{}
	}
	bar := progressbar.NewOptions64(total, progressbar.OptionSetWriter(p.out), progressbar.OptionSetDescription(name),
		progressbar.OptionShowBytes(true), progressbar.OptionFullWidth(), progressbar.OptionOnCompletion(func() { _, _ = fmt.Fprintln(p.out) }))
	_ = bar.Set64(have)
	return shown{bar}
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// shown is one file's progress; the zero value shows nothing.
type shown struct{ bar *progressbar.ProgressBar }

func (s shown) Write(p []byte) (int, error) {
	if s.bar != nil {
		_ = s.bar.Add(len(p))
	}
	return len(p), nil
}

func (s shown) end() {
	if s.bar != nil {
		_ = s.bar.Close()
	}
}
