//go:build cgo

package main

import (
	"errors"
	"fmt"
	"runtime"

	ort "github.com/yalue/onnxruntime_go"
)

// native is a network in ONNX Runtime.
type native struct {
	session *ort.DynamicAdvancedSession
	inputs  []string
}

// openNetwork opens a network in the ONNX Runtime that a classifier has loaded, with a thread for each core.
func openNetwork(network string) (run func(rows [][]uint32) error, end func() error, err error) {
	ins, outs, err := ort.GetInputOutputInfo(network)
	if err != nil {
		return nil, nil, fmt.Errorf("open network: %w", err)
	}
	opts, err := ort.NewSessionOptions()
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, opts.Destroy()) }()
	if err := opts.SetIntraOpNumThreads(runtime.NumCPU()); err != nil {
		return nil, nil, err
	}
	n := &native{}
	for _, in := range ins {
		n.inputs = append(n.inputs, in.Name)
	}
	if n.session, err = ort.NewDynamicAdvancedSession(network, n.inputs, []string{outs[0].Name}, opts); err != nil {
		return nil, nil, err
	}
	return n.run, n.session.Destroy, nil
}

func (n *native) run(rows [][]uint32) (err error) {
	longest := 0
	for _, row := range rows {
		longest = max(longest, len(row))
	}
	ids, mask := make([]int64, len(rows)*longest), make([]int64, len(rows)*longest)
	for r, row := range rows {
		for i, id := range row {
			ids[r*longest+i], mask[r*longest+i] = int64(id), 1
		}
	}
	given := map[string][]int64{"input_ids": ids, "attention_mask": mask, "token_type_ids": make([]int64, len(ids))}
	var values []ort.Value
	outputs := []ort.Value{nil} // made by the run
	defer func() {
		for _, v := range append(values, outputs...) {
			if v != nil {
				err = errors.Join(err, v.Destroy())
			}
		}
	}()
	for _, input := range n.inputs {
		v, err := ort.NewTensor(ort.NewShape(int64(len(rows)), int64(longest)), given[input])
		if err != nil {
			return err
		}
		values = append(values, v)
	}
	return n.session.Run(values, outputs)
}
