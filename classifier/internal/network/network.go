// Package network cuts ONNX networks and puts new last layers on them, without a library for ONNX: it reads the names that connect nodes, and copies
// everything else, weights above all, byte for byte.
//
// A network that was parsed has a tensor of features, batch × features, that [Network.Features] finds or makes. [Network.Cut] ends the network there;
// [Network.Graft] goes on from there with a linear layer to logits. Whatever neither needs is left out.
package network

import (
	"errors"
	"fmt"
	"slices"
)

// Network is a parsed ONNX model. Its methods change it; they are for one goroutine.
type Network struct {
	around  []byte // the model's fields but the graph
	rest    []byte // the graph's fields that are not below
	opset   int64  // of the default domain
	nodes   []node
	weights []named // initializers
	inputs  []value
	outputs []value
	infos   []named // of values in between
	names   map[string]bool
}

type node struct {
	raw             []byte
	op              string
	inputs, outputs []string
	reads           []string // inputs, and what nodes of inner graphs read
}

type named struct {
	raw  []byte
	name string
}

type value struct {
	named
	kind uint64 // element type
	dims int    // -1: no shape is declared
}

// Parse reads an ONNX model. The network keeps parts of data.
func Parse(data []byte) (*Network, error) {
	n := &Network{names: map[string]bool{}}
	graph := []byte(nil)
	err := fields(data, func(f field) error {
		if f.number == modelGraph {
			if graph != nil {
				return errors.New("the model has two graphs")
			}
			graph = f.value
			return nil
		}
		n.around = append(n.around, f.raw...)
		if f.number == modelOpset {
			return n.parseOpset(f.value)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(graph) == 0 || n.opset == 0 {
		return nil, errors.New("no ONNX model: no graph, or no version of the operators")
	}
	if err := fields(graph, n.parseGraph); err != nil {
		return nil, err
	}
	return n, nil
}

func (n *Network) parseOpset(data []byte) error {
	domain, version := "", int64(0)
	err := fields(data, func(f field) error {
		switch f.number {
		case opsetDomain:
			domain = string(f.value)
		case opsetVersion:
			version = int64(f.int) //nolint:gosec // an int64 on the wire
		}
		return nil
	})
	if domain == "" || domain == "ai.onnx" {
		n.opset = version
	}
	return err
}

func (n *Network) parseGraph(f field) (err error) {
	switch f.number {
	case graphNode:
		one := node{raw: f.raw}
		if err := one.parse(f.value); err != nil {
			return err
		}
		n.nodes = append(n.nodes, one)
		for _, name := range slices.Concat(one.inputs, one.outputs) {
			n.names[name] = true
		}
	case graphInitializer:
		name, err := stringIn(f.value, tensorName)
		if err != nil {
			return err
		}
		n.names[name] = true
		n.weights = append(n.weights, named{f.raw, name})
	case graphInput, graphOutput:
		v, err := parseValue(f)
		if err != nil {
			return err
		}
		n.names[v.name] = true
		if f.number == graphInput {
			n.inputs = append(n.inputs, v)
		} else {
			n.outputs = append(n.outputs, v)
		}
	case graphValueInfo:
		name, err := stringIn(f.value, valueName)
		if err != nil {
			return err
		}
		n.infos = append(n.infos, named{f.raw, name})
	default:
		n.rest = append(n.rest, f.raw...)
	}
	return nil
}

func (o *node) parse(data []byte) error {
	err := fields(data, func(f field) error {
		switch f.number {
		case nodeInput:
			o.inputs = append(o.inputs, string(f.value))
		case nodeOutput:
			o.outputs = append(o.outputs, string(f.value))
		case nodeOp:
			o.op = string(f.value)
		case nodeAttribute:
			return fields(f.value, func(f field) error {
				if f.number == attributeGraph || f.number == attributeGraphs {
					return o.parseInner(f.value)
				}
				return nil
			})
		}
		return nil
	})
	o.reads = append(o.reads, o.inputs...)
	return err
}

// parseInner notes all that an inner graph reads or gives out; what it makes itself has other names, and harms nothing.
func (o *node) parseInner(graph []byte) error {
	return fields(graph, func(f field) error {
		switch f.number {
		case graphNode:
			var inner node
			if err := inner.parse(f.value); err != nil {
				return err
			}
			o.reads = append(o.reads, inner.reads...)
		case graphOutput:
			name, err := stringIn(f.value, valueName)
			o.reads = append(o.reads, name)
			return err
		}
		return nil
	})
}

func parseValue(f field) (value, error) {
	v := value{named: named{raw: f.raw}, dims: -1}
	err := fields(f.value, func(f field) error {
		switch f.number {
		case valueName:
			v.name = string(f.value)
		case valueType:
			return fields(f.value, func(f field) error {
				if f.number != typeTensor {
					return nil
				}
				return fields(f.value, func(f field) error {
					switch f.number {
					case elementType:
						v.kind = f.int
					case tensorShape:
						v.dims = 0
						return fields(f.value, func(f field) error {
							if f.number == shapeDim {
								v.dims++
							}
							return nil
						})
					}
					return nil
				})
			})
		}
		return nil
	})
	return v, err
}

func stringIn(message []byte, number int32) (s string, err error) {
	err = fields(message, func(f field) error {
		if f.number == number {
			s = string(f.value)
		}
		return nil
	})
	return s, err
}

// producer returns the node that makes a tensor.
func (n *Network) producer(tensor string) *node {
	for i := range n.nodes {
		if slices.Contains(n.nodes[i].outputs, tensor) {
			return &n.nodes[i]
		}
	}
	return nil
}

func (n *Network) isWeight(name string) bool {
	return slices.ContainsFunc(n.weights, func(w named) bool { return w.name == name })
}

// Has says whether a node of the network makes a tensor of this name.
func (n *Network) Has(tensor string) bool { return n.producer(tensor) != nil }

// Cut returns the network that ends at tensor, which is float32, batch × features, and becomes its one output.
func (n *Network) Cut(tensor string) ([]byte, error) {
	if err := n.prune(tensor); err != nil {
		return nil, err
	}
	return n.marshal(valueInfo(tensor, float32Type, "batch", "features")), nil
}

// prune leaves out what does not lead to tensor.
func (n *Network) prune(tensor string) error {
	if n.producer(tensor) == nil {
		return fmt.Errorf("the network makes no tensor %q", tensor)
	}
	needed := map[string]bool{tensor: true}
	var nodes []node
	for _, o := range slices.Backward(n.nodes) { // nodes stand after those that they read from
		if !slices.ContainsFunc(o.outputs, func(name string) bool { return name != "" && needed[name] }) {
			continue
		}
		nodes = append(nodes, o)
		for _, name := range slices.Concat(o.reads, o.outputs) {
			needed[name] = true
		}
	}
	slices.Reverse(nodes)
	// Old networks declare their weights as inputs, too.
	n.inputs = slices.DeleteFunc(n.inputs, func(v value) bool { return n.isWeight(v.name) && !needed[v.name] })
	n.nodes = nodes
	n.weights = slices.DeleteFunc(n.weights, func(w named) bool { return !needed[w.name] })
	n.infos = slices.DeleteFunc(n.infos, func(w named) bool { return !needed[w.name] || w.name == tensor })
	for _, v := range n.inputs {
		needed[v.name] = true
	}
	n.names = needed
	return nil
}

// marshal writes the network with one output.
func (n *Network) marshal(output []byte) []byte {
	var graph []byte
	for _, o := range n.nodes {
		graph = append(graph, o.raw...)
	}
	graph = append(graph, n.rest...)
	for _, w := range n.weights {
		graph = append(graph, w.raw...)
	}
	for _, in := range n.inputs {
		graph = append(graph, in.raw...)
	}
	graph = appendBytes(graph, graphOutput, output)
	for _, info := range n.infos {
		graph = append(graph, info.raw...)
	}
	return appendBytes(slices.Clone(n.around), modelGraph, graph)
}
