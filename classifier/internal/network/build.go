package network

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// fresh returns a name that nothing in the network has.
func (n *Network) fresh(name string) string {
	for n.names[name] {
		name += "_"
	}
	n.names[name] = true
	return name
}

// add appends a node with one output, which it names and returns.
func (n *Network) add(op, output string, inputs []string, attributes ...[]byte) string {
	output = n.fresh(output)
	var b []byte
	for _, in := range inputs {
		b = appendBytes(b, nodeInput, in)
	}
	b = appendBytes(b, nodeOutput, output)
	b = appendBytes(b, nodeOp, op)
	for _, a := range attributes {
		b = appendBytes(b, nodeAttribute, a)
	}
	n.nodes = append(n.nodes, node{raw: appendBytes(nil, graphNode, b), op: op, inputs: inputs, outputs: []string{output}, reads: inputs})
	return output
}

func intOf(name string, v int64) []byte {
	return appendInt(appendInt(appendBytes(nil, attributeName, name), attributeInt, v), attributeType, intAttribute)
}

func intsOf(name string, v int64) []byte {
	return appendInt(appendInt(appendBytes(nil, attributeName, name), attributeInts, v), attributeType, intsAttribute)
}

// addAlong appends a node that works along an axis: operators of version 13 and later read it, earlier ones have it as an attribute.
func (n *Network) addAlong(op, output, input string, axis int64, attributes ...[]byte) string {
	if n.opset < 13 {
		return n.add(op, output, []string{input}, append(attributes, intsOf("axes", axis))...)
	}
	return n.add(op, output, []string{input, n.ints(output+"_axis", axis)}, attributes...)
}

// weight appends an initializer, and returns its name. Dimensions are those of a scalar if there are none.
func (n *Network) weight(name string, kind int64, raw []byte, dims ...int) string {
	name = n.fresh(name)
	var b []byte
	for _, d := range dims {
		b = appendInt(b, tensorDims, int64(d))
	}
	b = appendBytes(appendBytes(appendInt(b, tensorType, kind), tensorName, name), tensorRaw, raw)
	n.weights = append(n.weights, named{appendBytes(nil, graphInitializer, b), name})
	return name
}

func (n *Network) ints(name string, v int64) string {
	return n.weight(name, int64Type, binary.LittleEndian.AppendUint64(nil, uint64(v)), 1) //nolint:gosec // two's complement
}

func (n *Network) floats(name string, v []float32, dims ...int) string {
	raw := make([]byte, 0, 4*len(v))
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
	}
	return n.weight(name, float32Type, raw, dims...)
}

// valueInfo describes a tensor of two dimensions, each a number or a name.
func valueInfo(name string, kind int64, dims ...any) []byte {
	var shape []byte
	for _, d := range dims {
		var dim []byte
		switch d := d.(type) {
		case int:
			dim = appendInt(nil, dimValue, int64(d))
		case string:
			dim = appendBytes(nil, dimParam, d)
		}
		shape = appendBytes(shape, shapeDim, dim)
	}
	tensor := appendBytes(appendInt(nil, elementType, kind), tensorShape, shape)
	return appendBytes(appendBytes(nil, valueName, name), valueType, appendBytes(nil, typeTensor, tensor))
}

// Graft returns the network that goes on from features, a tensor batch × features, with a linear layer to "logits", its one output. There is a row
// of weights and a bias for each label. They are rounded to float32.
func (n *Network) Graft(features string, weights [][]float64, bias []float64) ([]byte, error) {
	if err := n.prune(features); err != nil {
		return nil, err
	}
	if len(weights) == 0 || len(weights) != len(bias) {
		return nil, fmt.Errorf("%d rows of weights and %d biases", len(weights), len(bias))
	}
	labels, width := len(weights), len(weights[0])
	flat, biases := make([]float32, labels*width), make([]float32, labels)
	for k, row := range weights {
		if len(row) != width {
			return nil, errors.New("rows of weights differ in length")
		}
		for j, w := range row {
			flat[j*labels+k] = float32(w) // features × labels
		}
		biases[k] = float32(bias[k])
	}
	for _, v := range slices.Concat(flat, biases) {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, errors.New("a weight is no finite number")
		}
	}
	product := n.add("MatMul", "head_product", []string{features, n.floats("head_weight", flat, width, labels)})
	if n.names["logits"] {
		return nil, errors.New("the features are made of a tensor named logits")
	}
	logits := n.add("Add", "logits", []string{product, n.floats("head_bias", biases, labels)})
	return n.marshal(valueInfo(logits, float32Type, "batch", labels)), nil
}
