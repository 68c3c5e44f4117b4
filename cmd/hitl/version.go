package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"hitl/classifier"
)

type versionCmd struct {
	JSON bool `help:"Print JSON."`
}

// stamped is the version that the linker was told (-ldflags "-X main.stamped=1.2.3"): an image is built where the repository's history is not.
var stamped string

// buildVersion is the version it was stamped with, the module's, or the commit it was built from.
func buildVersion() string {
	if stamped != "" {
		return stamped
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	version, revision, dirty := info.Main.Version, "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			revision = s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+changes"
		}
	}
	if (version == "" || version == "(devel)") && revision != "" {
		return revision + dirty
	}
	return version
}

// Run opens the starter model to see which engine really runs: a library that is found may still not work.
func (c *versionCmd) Run(ctx context.Context, p program) error {
	model, err := classifier.Open(ctx, classifier.Options{})
	if err != nil {
		return err
	}
	engine, starter := model.Engine(), model.Version()
	if err := model.Close(); err != nil {
		return err
	}
	platform := runtime.GOOS + "/" + runtime.GOARCH
	if c.JSON {
		return printJSON(p.stdout, map[string]string{
			"version": buildVersion(), "go": runtime.Version(), "platform": platform, "engine": engine, "starter": starter,
		})
	}
	_, err = fmt.Fprintf(p.stdout, "hitl %s (%s, %s)\nengine: %s\nstarter model: %s\n", buildVersion(), runtime.Version(), platform, engine, starter)
	return err
}
