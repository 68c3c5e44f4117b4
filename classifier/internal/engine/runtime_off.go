//go:build !cgo

package engine

import "fmt"

// OpenRuntime answers ErrNoRuntime: loading a C library takes cgo.
func OpenRuntime(Network, string, int) (Engine, error) {
	return nil, fmt.Errorf("%w: this binary was built without cgo", ErrNoRuntime)
}
