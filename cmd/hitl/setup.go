package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"hitl/classifier"
)

type setupCmd struct {
	Runtime setupRuntimeCmd `cmd:"" name:"onnxruntime" help:"Say how to get ONNX Runtime, which runs transformers tens of times faster, or install it."`
}

type setupRuntimeCmd struct {
	Install  bool   `help:"Download the library, verify it, and put it where it is found."`
	Dir      string `placeholder:"DIR" type:"path" help:"Where to put it. Default: hitl/onnxruntime in the user's cache folder, where this user's hitl looks."`
	Registry string `placeholder:"URL" default:"${npm}" env:"HITL_NPM_REGISTRY" help:"npm's registry, or a mirror of it (${env}; default ${default})."`
	JSON     bool   `help:"Print JSON."`
}

// Help is shown by hitl setup onnxruntime --help.
func (setupRuntimeCmd) Help() string {
	return `Models run in pure Go without it: good for the starter model and for those of hitl train on it, slow for transformers.

    hitl setup onnxruntime              what is found here, which engine runs, how to get the library
    hitl setup onnxruntime --install    install it for this user
    hitl setup onnxruntime --install --dir /opt/onnxruntime/lib
                                        install it for everybody on this machine

What is installed is Microsoft's own build, from the npm package onnxruntime-node (neither npm nor Node is needed), pinned by version and SHA-256. A
download that breaks off goes on where it was, also when the command is run again. A service that runs takes the library when it starts anew.`
}

// runtimeReport is what hitl setup onnxruntime finds.
type runtimeReport struct {
	Platform  string   `json:"platform"`
	Library   string   `json:"library,omitempty"` // that is found
	Engine    string   `json:"engine"`            // that runs with it
	Problem   string   `json:"problem,omitempty"` // why that is not ONNX Runtime
	Installed string   `json:"installed,omitempty"`
	Fetched   bool     `json:"fetched"`
	Ways      []string `json:"ways,omitempty"` // to get it
}

func (c *setupRuntimeCmd) Run(ctx context.Context, p program) error {
	r := runtimeReport{Platform: runtime.GOOS + "/" + runtime.GOARCH}
	getenv := func(name string) string { value, _ := p.env(name); return value }
	where := "auto"
	if c.Install {
		var err error
		r.Installed, r.Fetched, err = classifier.InstallRuntime(ctx, classifier.RuntimeOptions{
			Registry: c.Registry, Dir: c.Dir, Progress: p.stderr,
			Logger: slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		})
		if err != nil {
			if errors.Is(err, classifier.ErrNoRuntimeHere) {
				return fmt.Errorf("%w; other ways to get it:\n  %s", err, strings.Join(waysToRuntime(), "\n  "))
			}
			return err
		}
		where = r.Installed
	}
	var err error
	if r.Library, r.Engine, err = runningEngine(ctx, where, getenv); err != nil {
		r.Problem = err.Error()
	}
	if r.Problem != "" {
		r.Ways = waysToRuntime()
	}
	if c.JSON {
		err = printJSON(p.stdout, r)
	} else {
		err = r.print(p)
	}
	if err == nil && c.Install && r.Problem != "" {
		return exitError(exitFailure)
	}
	if err == nil && c.Install && !c.JSON {
		err = c.tellWhere(p, r.Installed, getenv)
	}
	return err
}

// tellWhere says what is to be done for a library to be found, if something is.
func (c *setupRuntimeCmd) tellWhere(p program, installed string, getenv func(string) string) error {
	if found, err := classifier.FindRuntime("auto", getenv); err == nil && found == installed {
		return nil
	}
	_, err := fmt.Fprintf(p.stdout, "It is not what would be found first: set ONNXRUNTIME_LIB=%s, or classifiers.*.onnxruntime.\n", filepath.Dir(installed))
	return err
}

// runningEngine opens the starter model to see which engine really runs; a library that is found may still not work. An error says why it is
// not ONNX Runtime.
func runningEngine(ctx context.Context, where string, getenv func(string) string) (library, name string, err error) {
	library, found := classifier.FindRuntime(where, getenv)
	if found == nil && library != "" {
		c, err := classifier.Open(ctx, classifier.Options{ONNXRuntime: library, Getenv: getenv})
		if err == nil {
			return library, c.Engine(), c.Close()
		}
		found = err
	}
	c, err := classifier.Open(ctx, classifier.Options{ONNXRuntime: "off"})
	if err != nil {
		return library, "", err
	}
	return library, c.Engine(), errors.Join(found, c.Close())
}

func (r runtimeReport) print(p program) error {
	var out strings.Builder
	switch {
	case r.Fetched:
		fmt.Fprintf(&out, "installed: %s\n", r.Installed)
	case r.Installed != "":
		fmt.Fprintf(&out, "installed before: %s\n", r.Installed)
	case r.Library != "":
		fmt.Fprintf(&out, "library: %s\n", r.Library)
	}
	fmt.Fprintf(&out, "engine: %s (%s)\n", r.Engine, r.Platform)
	if r.Problem != "" {
		fmt.Fprintf(&out, "why not ONNX Runtime: %s\n", printable(r.Problem))
	}
	if len(r.Ways) > 0 {
		fmt.Fprintf(&out, "\nTo get ONNX Runtime:\n  %s\n", strings.Join(r.Ways, "\n  "))
	}
	_, err := fmt.Fprint(p.stdout, out.String())
	return err
}

// waysToRuntime lists how to get the library on this platform.
func waysToRuntime() []string {
	var ways []string
	if classifier.RuntimeInstalls() {
		ways = append(ways, "hitl setup onnxruntime --install")
	}
	lib := "/opt/onnxruntime/lib"
	switch _, alpine := os.Stat("/etc/alpine-release"); {
	case alpine == nil:
		return append(ways, "apk add onnxruntime")
	case runtime.GOOS == "darwin":
		ways = append(ways, "brew install onnxruntime")
	case runtime.GOOS == "windows":
		lib = "the folder of hitl.exe"
	default:
		ways = append(ways, "apt install libonnxruntime-dev, dnf install onnxruntime: where the distribution has it")
	}
	return append(ways,
		"https://github.com/microsoft/onnxruntime/releases: unpack the archive for "+runtime.GOOS+"/"+runtime.GOARCH+"; the library goes to "+lib,
		"npm pack onnxruntime-node@"+classifier.RuntimeVersion+": package/bin/napi-v6 holds it",
		"pip download --no-deps onnxruntime: a zip file; onnxruntime/capi holds it",
		"Where it lies elsewhere: ONNXRUNTIME_LIB=FILE-OR-FOLDER, or classifiers.*.onnxruntime in the configuration.")
}
