package network

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Fields of ONNX's messages that are read or written here, by their numbers in onnx.proto (https://github.com/onnx/onnx).
const (
	modelGraph, modelOpset = 7, 8

	opsetDomain, opsetVersion = 1, 2

	graphNode, graphInitializer, graphInput, graphOutput, graphValueInfo = 1, 5, 11, 12, 13

	nodeInput, nodeOutput, nodeOp, nodeAttribute = 1, 2, 4, 5

	attributeName, attributeInt, attributeGraph, attributeInts, attributeGraphs, attributeType = 1, 3, 6, 8, 11, 20

	tensorDims, tensorType, tensorName, tensorRaw = 1, 2, 8, 9

	valueName, valueType     = 1, 2
	typeTensor               = 1
	elementType, tensorShape = 1, 2
	shapeDim                 = 1
	dimValue, dimParam       = 1, 2
)

// Data types and attribute types of onnx.proto.
const (
	float32Type, int64Type = 1, 7
	intAttribute           = 2
	intsAttribute          = 7
)

// field is one field of a message. The slices are the message's own.
type field struct {
	number int32
	int    uint64 // of a varint field
	value  []byte // of a length-delimited field
	raw    []byte // all of it, tag included
}

// fields calls f with each field of a message, in order.
func fields(message []byte, f func(field) error) error {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return fmt.Errorf("read message: %w", protowire.ParseError(n))
		}
		one := field{number: int32(number)}
		m := 0
		switch kind {
		case protowire.BytesType:
			one.value, m = protowire.ConsumeBytes(message[n:])
		case protowire.VarintType:
			one.int, m = protowire.ConsumeVarint(message[n:])
		case protowire.Fixed32Type, protowire.Fixed64Type, protowire.StartGroupType, protowire.EndGroupType:
			m = protowire.ConsumeFieldValue(number, kind, message[n:])
		default:
			return errors.New("read message: unknown wire type")
		}
		if m < 0 {
			return fmt.Errorf("read message: %w", protowire.ParseError(m))
		}
		one.raw = message[:n+m]
		if err := f(one); err != nil {
			return err
		}
		message = message[n+m:]
	}
	return nil
}

func appendBytes[T string | []byte](b []byte, number protowire.Number, v T) []byte {
	return append(protowire.AppendVarint(protowire.AppendTag(b, number, protowire.BytesType), uint64(len(v))), v...)
}

func appendInt(b []byte, number protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, number, protowire.VarintType), uint64(v)) //nolint:gosec // two's complement, as int64 fields are
}
