//go:build !cgo

package main

// openNetwork has no counterpart here: loading a C library takes cgo.
func openNetwork(string) (run func(rows [][]uint32) error, end func() error, err error) {
	return nil, nil, missing("this binary was built without cgo, which ONNX Runtime needs: build it with CGO_ENABLED=1 and a C compiler")
}
