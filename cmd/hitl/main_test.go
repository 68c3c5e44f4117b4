package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"

	gomlx "github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/backends/simplego"
	"github.com/redis/go-redis/v9/logging"
	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"hitl/deploy/local/localtest"
)

func TestMain(m *testing.M) {
	logging.Disable() // of go-redis: servers die here on purpose, and its lines would bury what failed
	// Stories wait for servers more than they compute. -parallel comes later, and counts.
	if err := flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil {
		panic(err)
	}
	testscript.Main(leakChecked{localtest.Wrap(m)}, map[string]func(){"hitl": func() {
		if os.Getenv(mortal) != "" {
			gomlx.Register("go", simplego.New)
		}
		main()
	}})
}

// mortal is the variable that has a binary's pure-Go backend run operations as hugot asks for, each in a goroutine of its own, where nobody can
// recover from a panic: such a process dies of a text, as others do in C or for want of memory.
const mortal = "HITL_TEST_MORTAL"

// leakChecked fails a run that leaves goroutines behind.
type leakChecked struct{ localtest.Runner }

func (l leakChecked) Run() int {
	code := l.Runner.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// TestCommands runs the stories of testdata/*.txtar on the real binary.
func TestCommands(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			// Libraries that are found by the environment stay findable.
			env.Setenv("ONNXRUNTIME_LIB", os.Getenv("ONNXRUNTIME_LIB"))
			return nil
		},
	})
}
