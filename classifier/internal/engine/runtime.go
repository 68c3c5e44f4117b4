//go:build cgo

package engine

import (
	"errors"
	"fmt"
	"os"
	"sync"

	ort "github.com/yalue/onnxruntime_go"
)

// environment counts who uses ONNX Runtime: the library itself exists once in a process, whatever we would like.
var environment struct {
	sync.Mutex
	users   int
	library string
}

// acquire loads the library for its first user.
func acquire(library string) error {
	environment.Lock()
	defer environment.Unlock()
	if environment.users == 0 {
		if err := quiet(); err != nil {
			return fmt.Errorf("load ONNX Runtime from %s: %w", library, err)
		}
		ort.SetSharedLibraryPath(library)
		if err := ort.InitializeEnvironment(ort.WithLogLevelError()); err != nil {
			return fmt.Errorf("load ONNX Runtime from %s: %w", library, err)
		}
		if err := ort.DisableTelemetry(); err != nil {
			return errors.Join(fmt.Errorf("load ONNX Runtime from %s: %w", library, err), ort.DestroyEnvironment())
		}
		environment.library = library
	} else if environment.library != library {
		return fmt.Errorf("load ONNX Runtime from %s: %s is loaded already", library, environment.library)
	}
	environment.users++
	return nil
}

// telemetryVariable is what ONNX Runtime 1.30 reads when it is loaded, before anything can be called that turns its telemetry off.
const telemetryVariable = "ORT_DISABLE_TELEMETRY"

// quiet keeps Microsoft's builds from keeping a device id in the user's cache folder and sending events to Microsoft, unless the variable is set. The
// library reads it with C's getenv, which Go's Setenv sets as well where cgo is.
func quiet() error {
	if _, given := os.LookupEnv(telemetryVariable); given {
		return nil
	}
	return os.Setenv(telemetryVariable, "1")
}

// release unloads the library after its last user.
func release() error {
	environment.Lock()
	defer environment.Unlock()
	if environment.users--; environment.users > 0 {
		return nil
	}
	return ort.DestroyEnvironment()
}

// runtimeEngine is ONNX Runtime on the CPU. It takes any shape, so rows are padded to the longest among them only.
type runtimeEngine struct {
	session *ort.DynamicAdvancedSession
	inputs  []string
	name    string
	max     int
	pad     uint32
}

// OpenRuntime loads a network into the ONNX Runtime at library, with so many threads per run; 0 leaves that to ONNX Runtime.
func OpenRuntime(n Network, library string, threads int) (Engine, error) {
	if err := acquire(library); err != nil {
		return nil, err
	}
	e, err := newRuntime(n, threads)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("load network: %w", err), release())
	}
	return e, nil
}

func newRuntime(n Network, threads int) (_ *runtimeEngine, err error) {
	ins, outs, err := ort.GetInputOutputInfo(n.Path)
	if err != nil {
		return nil, err
	}
	outputs := runtimePorts(outs)
	logits, err := checkPorts(runtimePorts(ins), outputs)
	if err != nil {
		return nil, err
	}
	// The rest of the options stays as it is. A MiniLM on two free cores takes as long or longer without the arena (and a sixth more memory), and an
	// int8 one half as long again when its threads do not spin between operations; on cores that others want, spinning doubles the processor time.
	opts, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, opts.Destroy()) }()
	if threads > 0 {
		if err := opts.SetIntraOpNumThreads(threads); err != nil {
			return nil, err
		}
	}
	e := &runtimeEngine{name: "ONNX Runtime " + ort.GetVersion(), max: n.MaxBatch, pad: n.Pad}
	for _, in := range ins {
		e.inputs = append(e.inputs, in.Name)
	}
	e.session, err = ort.NewDynamicAdvancedSession(n.Path, e.inputs, []string{outputs[logits].name}, opts)
	if err != nil {
		return nil, err
	}
	if _, err := e.Run([][]uint32{{n.Pad}}); err != nil {
		return nil, errors.Join(fmt.Errorf("try network: %w", err), e.session.Destroy())
	}
	return e, nil
}

func (e *runtimeEngine) Name() string { return e.name }

func (e *runtimeEngine) Run(rows [][]uint32) ([][]float32, error) {
	out := make([][]float32, 0, len(rows))
	for len(rows) > 0 {
		n := min(e.max, len(rows))
		logits, err := e.runBatch(rows[:n])
		if err != nil {
			return nil, fmt.Errorf("run network: %w", err)
		}
		out, rows = append(out, logits...), rows[n:]
	}
	return out, nil
}

func (e *runtimeEngine) runBatch(rows [][]uint32) (logits [][]float32, err error) {
	longest := 0
	for _, row := range rows {
		longest = max(longest, len(row))
	}
	shape := ort.NewShape(int64(len(rows)), int64(longest))
	var values []ort.Value
	outputs := []ort.Value{nil} // made by the run
	defer func() {
		for _, v := range append(values, outputs...) {
			if v != nil {
				err = errors.Join(err, v.Destroy())
			}
		}
	}()
	for _, input := range e.inputs {
		v, err := ort.NewTensor(shape, fill(input, rows, longest, e.pad))
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	if err := e.session.Run(values, outputs); err != nil {
		return nil, err
	}
	tensor, ok := outputs[0].(*ort.Tensor[float32])
	if !ok {
		return nil, fmt.Errorf("network's output is a %T, want float32", outputs[0])
	}
	return cut(tensor.GetData(), len(rows))
}

func (e *runtimeEngine) Close() error {
	return errors.Join(e.session.Destroy(), release())
}

func runtimePorts(infos []ort.InputOutputInfo) []port {
	out := make([]port, len(infos))
	for i, info := range infos {
		out[i] = port{info.Name, info.Dimensions}
	}
	return out
}
