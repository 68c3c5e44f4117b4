package ingest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// checkTimeout bounds each readiness check.
const checkTimeout = 2 * time.Second

type healthInput struct{}

type healthOutput struct {
	Body health
}

// health says that all is well; when it is not, a problem says what is not.
type health struct {
	Status string `json:"status" enum:"ok"`
}

// getHealth is GET /healthz: the process answers. It asks no other part, so that nobody restarts us because Postgres is away.
func (a *api) getHealth(context.Context, *healthInput) (*healthOutput, error) {
	return &healthOutput{health{"ok"}}, nil
}

// getReady is GET /readyz: every check passes and the server is not shutting down. Why a check fails is for the log.
func (a *api) getReady(ctx context.Context, _ *healthInput) (*healthOutput, error) {
	names := sortedKeys(a.Checks)
	failures := make([]error, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() { failures[i] = runCheck(ctx, a.Checks[name]) })
	}
	wg.Wait()
	var failing []string
	var errs []fieldError
	for i, err := range failures {
		if err != nil {
			failing = append(failing, names[i])
			errs = append(errs, fieldError{names[i], "is failing"})
			a.Logger.WarnContext(ctx, "readiness check fails", "check", names[i], "error", err)
		}
	}
	if shutdownOf(ctx).Err() != nil {
		failing = append(failing, "shutdown")
		errs = append(errs, fieldError{"shutdown", "is in progress"})
	}
	if len(failing) > 0 {
		return nil, newProblem(codeNotReady, strings.Join(failing, ", "), errs...)
	}
	return &healthOutput{health{"ok"}}, nil
}

func runCheck(ctx context.Context, check func(context.Context) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("check panicked: %v", r)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	return check(ctx)
}
