package network

import (
	"errors"
	"fmt"
	"slices"
)

// Pooling is how the vectors of a text's tokens become one.
type Pooling string

// The kinds of pooling that Features knows.
const (
	Mean Pooling = "mean" // of the tokens that the attention mask names
	CLS  Pooling = "cls"  // the first token's
)

// tiny keeps divisions from dividing by zero, as sentence-transformers does.
const tiny = 1e-9

// Features returns the name of the tensor that holds a text's features, batch × features. That is
//
//   - what the last linear layer reads, if the network has an output "logits": for a classifier, or for what Graft made;
//   - the output "sentence_embedding", if there is one;
//   - or else the output "last_hidden_state" or "token_embeddings", pooled, and scaled to length 1.
func (n *Network) Features(pooling Pooling) (string, error) {
	if i := slices.IndexFunc(n.outputs, func(v value) bool { return v.name == "sentence_embedding" }); i >= 0 {
		return n.outputs[i].name, float(n.outputs[i], 2)
	}
	for _, name := range []string{"last_hidden_state", "token_embeddings"} {
		if i := slices.IndexFunc(n.outputs, func(v value) bool { return v.name == name }); i >= 0 {
			if err := float(n.outputs[i], 3); err != nil {
				return "", err
			}
			return n.pool(name, pooling)
		}
	}
	if len(n.outputs) == 1 && n.outputs[0].dims == 2 {
		return n.beforeLast(n.outputs[0].name)
	}
	if i := slices.IndexFunc(n.outputs, func(v value) bool { return v.name == "logits" }); i >= 0 {
		return n.beforeLast("logits")
	}
	return "", errors.New("the network has no output sentence_embedding, last_hidden_state, token_embeddings or logits: it is neither for feature extraction nor a classifier")
}

func float(v value, dims int) error {
	if v.kind != float32Type {
		return fmt.Errorf("output %q is not float32 (it has ONNX's data type %d); export the network with float32 outputs", v.name, v.kind)
	}
	if v.dims >= 0 && v.dims != dims {
		return fmt.Errorf("output %q has %d dimensions, want %d", v.name, v.dims, dims)
	}
	return nil
}

// beforeLast returns what the linear layer reads that makes logits.
func (n *Network) beforeLast(logits string) (string, error) {
	last := n.producer(logits)
	if last != nil && last.op == "Add" && len(last.inputs) == 2 {
		for i := range 2 {
			if product := n.producer(last.inputs[i]); product != nil && product.op == "MatMul" && n.isWeight(last.inputs[1-i]) {
				last = product
				break
			}
		}
	}
	if last == nil || last.op != "Gemm" && last.op != "MatMul" || len(last.inputs) < 2 || !n.isWeight(last.inputs[1]) || n.producer(last.inputs[0]) == nil {
		return "", fmt.Errorf("what makes %q is no plain linear layer, as in a quantized classifier: take the float32 network, or one for feature extraction", logits)
	}
	return last.inputs[0], nil
}

// pool appends pooling of tokens, batch × tokens × features, and scaling to length 1.
func (n *Network) pool(tokens string, pooling Pooling) (string, error) {
	var pooled string
	switch pooling {
	case CLS:
		pooled = n.add("Gather", "pooling_first", []string{tokens, n.weight("pooling_zero", int64Type, make([]byte, 8))}, intOf("axis", 1))
	case Mean:
		m, err := n.mask()
		if err != nil {
			return "", err
		}
		pooled = n.mean(tokens, m)
	default:
		return "", fmt.Errorf("pooling %q is not supported; %q and %q are", pooling, Mean, CLS)
	}
	squares := n.add("Mul", "pooling_squares", []string{pooled, pooled})
	length := n.add("Sqrt", "pooling_length", []string{n.addAlong("ReduceSum", "pooling_squares_sum", squares, 1, intOf("keepdims", 1))})
	length = n.add("Max", "pooling_length_or_tiny", []string{length, n.floats("pooling_tiny", []float32{tiny}, 1)})
	return n.add("Div", "pooling_embedding", []string{pooled, length}), nil
}

// masked is the attention mask, as averages need it.
type masked struct {
	wide  string // batch × tokens × 1
	count string // batch × 1, above 0
}

func (n *Network) mask() (m masked, err error) {
	i := slices.IndexFunc(n.inputs, func(v value) bool { return v.name == "attention_mask" })
	if i < 0 {
		return m, errors.New("the network has no input attention_mask, without which its tokens cannot be averaged")
	}
	mask := n.add("Cast", "pooling_mask", []string{n.inputs[i].name}, intOf("to", float32Type))
	m.wide = n.addAlong("Unsqueeze", "pooling_mask_wide", mask, 2)
	count := n.addAlong("ReduceSum", "pooling_count", mask, 1, intOf("keepdims", 1))
	m.count = n.add("Max", "pooling_count_or_tiny", []string{count, n.floats("pooling_tiny", []float32{tiny}, 1)})
	return m, nil
}

// mean appends the average of tokens, batch × tokens × features, over those that the mask names.
func (n *Network) mean(tokens string, m masked) string {
	kept := n.add("Mul", "pooling_kept", []string{tokens, m.wide})
	sum := n.addAlong("ReduceSum", "pooling_sum", kept, 1, intOf("keepdims", 0))
	return n.add("Div", "pooling_mean", []string{sum, m.count})
}

// Beside appends a tensor of features, which it names: those of pooled, batch × features, and beside them the averages of tokens, each batch × tokens ×
// features.
func (n *Network) Beside(name, pooled string, tokens ...string) (string, error) {
	m, err := n.mask()
	if err != nil {
		return "", err
	}
	parts := []string{pooled}
	for _, t := range tokens {
		parts = append(parts, n.mean(t, m))
	}
	return n.add("Concat", name, parts, intOf("axis", 1)), nil
}
