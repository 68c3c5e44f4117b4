package classifier

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// Options say which model to open and how to run it. The zero value opens the starter model.
type Options struct {
	// Model is "starter", a folder (a path that begins with "." or "/", or any folder that exists), or a Hugging Face id
	// "org/name", with "@revision" to pin a branch, tag or commit. Default: "starter".
	Model string
	// Network is the file name of the network, at the model's root or in onnx/; "model_quantized.onnx" for instance.
	// Default: "model.onnx".
	Network string

	// ONNXRuntime is "auto" (use ONNX Runtime if its library is found and works, else pure Go), "off", or the path of the
	// library or its folder, which then must work. Auto looks at the environment variable ONNXRUNTIME_LIB, and without it in
	// the usual library folders. Default: "auto".
	ONNXRuntime string
	// Threads is how many threads ONNX Runtime uses for one run. Default: 0, as many as there are cores.
	Threads int

	// MaxBatch is how many texts are run at once at most. Default: 32.
	MaxBatch int
	// MaxWait is how long a batch waits for callers that are just tokenising; when there is none it does not wait. Default: 3 ms.
	MaxWait time.Duration
	// QueueSize is how many texts may wait; one more is refused with hitl.ErrBusy. Default: 1024.
	QueueSize int
	// Timeout is how long a caller waits for its answer. Default: 30 s.
	Timeout time.Duration
	// MaxTokens cuts texts earlier than the model must. Default: 0, the model's own limit.
	MaxTokens int

	// CacheSize is how many texts' predictions are remembered, those that came last, by hashes of the texts. An [Embedder] remembers none.
	// Default: 0, none.
	CacheSize int

	// CacheDir is where downloaded models are kept. Default: "hitl/models" in the user's cache folder.
	CacheDir string
	// HubURL is where Hugging Face ids are downloaded from. Default: "https://huggingface.co".
	HubURL string
	// HubToken is sent to the hub as a bearer token, and to nobody else. Default: none.
	HubToken string
	// Progress is where a download shows itself: a bar on a terminal, else a line per file. Default: none.
	Progress io.Writer

	// Attempts counts the texts that the network is given, so that one that kills the process is not tried for ever. Default: none,
	// nothing is counted.
	Attempts Attempts
	// MaxAttempts is how many processes a text may kill; then it is refused with hitl.ErrModel. Default: 3.
	MaxAttempts int

	// Logger hears of the engine chosen and of failures. Default: none.
	Logger *slog.Logger
	// Observer hears of every batch. Default: none.
	Observer Observer

	// Getenv reads the environment, for the search for ONNX Runtime. Default: os.Getenv.
	Getenv func(string) string
}

// Observer is told what metrics are made of. It is called from the classifier's goroutine, except where it says otherwise, and must return quickly.
type Observer interface {
	// BatchDone is called after each run of the network: so many texts, the longest of so many tokens, and how it ended.
	BatchDone(texts, longest int, took time.Duration, err error)
	// GivenUp is called for each text that is not tried, since it killed too many processes.
	GivenUp()
	// CacheAsked is called for each text that a classifier with a cache is given, from many goroutines: was its prediction remembered?
	CacheAsked(hit bool)
}

func (o Options) withDefaults() (Options, error) {
	set(&o.Model, "starter")
	set(&o.Network, "model.onnx")
	set(&o.ONNXRuntime, "auto")
	set(&o.MaxBatch, 32)
	set(&o.MaxWait, 3*time.Millisecond)
	set(&o.QueueSize, 1024)
	set(&o.Timeout, 30*time.Second)
	set(&o.MaxAttempts, 3)
	set(&o.HubURL, "https://huggingface.co")
	set(&o.Logger, slog.New(slog.DiscardHandler))
	if o.Observer == nil {
		o.Observer = unobserved{}
	}
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.CacheDir == "" {
		// Without a home there is no default; only a download needs one and says so.
		if dir, err := os.UserCacheDir(); err == nil {
			o.CacheDir = filepath.Join(dir, "hitl", "models")
		}
	}
	var err error
	for name, value := range map[string]int{
		"MaxBatch": o.MaxBatch - 1, "QueueSize": o.QueueSize - 1, "MaxTokens": o.MaxTokens, "Threads": o.Threads, "CacheSize": o.CacheSize, "MaxAttempts": o.MaxAttempts, "MaxWait": int(o.MaxWait), "Timeout": int(o.Timeout),
	} {
		if value < 0 {
			err = errors.Join(err, fmt.Errorf("classifier option %s is too small", name))
		}
	}
	const most = 1024 // the pure-Go engine compiles a shape for every power of two up to it
	if o.MaxBatch > most {
		err = errors.Join(err, fmt.Errorf("classifier option MaxBatch is %d, want %d at most", o.MaxBatch, most))
	}
	return o, err
}

func set[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}

type unobserved struct{}

func (unobserved) BatchDone(int, int, time.Duration, error) {}
func (unobserved) GivenUp()                                 {}
func (unobserved) CacheAsked(bool)                          {}
