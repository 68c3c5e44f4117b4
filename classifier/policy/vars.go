package policy

import (
	"encoding/json"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"hitl"
)

// The types of the two variables, by which misspelt fields are found when a rule is compiled.
const (
	itemType       = "hitl.Item"
	predictionType = "hitl.Prediction"
)

// vars are a rule's variables. Scores are made a map on first use only.
type vars struct {
	item       hitl.Item
	prediction hitl.Prediction
	scores     map[string]float64
}

func newVars(item hitl.Item, prediction hitl.Prediction) *vars {
	return &vars{item: item, prediction: prediction}
}

// handle stands for item or prediction while a rule runs: fields are read through the provider.
type handle struct{ *vars }

// ResolveName implements cel.Activation.
func (v *vars) ResolveName(name string) (any, bool) {
	return handle{v}, name == "item" || name == "prediction"
}

// Parent implements cel.Activation.
func (v *vars) Parent() cel.Activation { return nil }

func (v *vars) scoreMap() map[string]float64 {
	if v.scores == nil {
		v.scores = make(map[string]float64, len(v.prediction.Scores))
		for _, s := range v.prediction.Scores {
			v.scores[s.Label] = s.Probability
		}
	}
	return v.scores
}

// column is a field of a variable: its CEL type and how it is read.
type column struct {
	name string
	typ  *types.Type
	get  func(*vars) any
}

var columns = map[string][]column{
	itemType: {
		{"id", types.StringType, func(v *vars) any { return v.item.ID }},
		{"source", types.StringType, func(v *vars) any { return v.item.Source }},
		{"external_id", types.StringType, func(v *vars) any { return v.item.ExternalID }},
		{"text", types.StringType, func(v *vars) any { return v.item.Text }},
		{"metadata", types.NewMapType(types.StringType, types.DynType), func(v *vars) any { return v.item.Metadata }},
		{"subject", types.StringType, func(v *vars) any { return v.item.Subject }},
		{"received_at", types.TimestampType, func(v *vars) any { return v.item.ReceivedAt.UTC() }},
	},
	predictionType: {
		{"label", types.StringType, func(v *vars) any { return v.prediction.Label }},
		{"confidence", types.DoubleType, func(v *vars) any { return v.prediction.Confidence }},
		{"scores", types.NewMapType(types.StringType, types.DoubleType), func(v *vars) any { return v.scoreMap() }},
		{"tokens", types.IntType, func(v *vars) any { return v.prediction.Tokens }},
		{"truncated", types.BoolType, func(v *vars) any { return v.prediction.Truncated }},
		{"model", types.StringType, func(v *vars) any { return v.prediction.Model }},
	},
}

// registry tells CEL the fields of the variables and makes its values of ours.
type registry struct {
	*types.Registry
	fields map[string]map[string]*types.FieldType
}

func newRegistry() (*registry, error) {
	base, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	r := &registry{base, map[string]map[string]*types.FieldType{}}
	for typ, cols := range columns {
		r.fields[typ] = map[string]*types.FieldType{}
		for _, c := range cols {
			r.fields[typ][c.name] = &types.FieldType{
				Type:    c.typ,
				IsSet:   func(any) bool { return true },
				GetFrom: func(target any) (any, error) { return c.get(target.(handle).vars), nil },
			}
		}
	}
	return r, nil
}

// FindStructType implements types.Provider.
func (r *registry) FindStructType(name string) (*types.Type, bool) {
	if _, ok := r.fields[name]; ok {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return r.Registry.FindStructType(name)
}

// FindStructFieldNames implements types.Provider.
func (r *registry) FindStructFieldNames(name string) ([]string, bool) {
	if f, ok := r.fields[name]; ok {
		return sortedKeys(f), true
	}
	return r.Registry.FindStructFieldNames(name)
}

// FindStructFieldType implements types.Provider.
func (r *registry) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	if f, ok := r.fields[name]; ok {
		t, ok := f[field]
		return t, ok
	}
	return r.Registry.FindStructFieldType(name, field)
}

// NativeToValue implements types.Adapter.
func (r *registry) NativeToValue(value any) ref.Val {
	switch v := value.(type) {
	case map[string]any:
		return orderedMap{types.NewStringInterfaceMap(r, v), v}
	case map[string]float64:
		boxed := make(map[string]any, len(v))
		for k, f := range v {
			boxed[k] = f
		}
		return orderedMap{types.NewStringInterfaceMap(r, boxed), boxed}
	case []any:
		return types.NewDynamicList(r, v)
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return types.Int(n)
		}
		if f, err := v.Float64(); err == nil {
			return types.Double(f)
		}
		return types.String(v)
	}
	return r.Registry.NativeToValue(value)
}

// orderedMap is a map whose macros visit the keys in order: Go's own order changes, and routes must not.
type orderedMap struct {
	traits.Mapper
	entries map[string]any
}

// Iterator visits the keys in order.
func (m orderedMap) Iterator() traits.Iterator {
	keys := make([]string, 0, len(m.entries))
	for k := range m.entries {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, strings.Compare)
	return types.NewStringList(types.DefaultTypeAdapter, keys).Iterator()
}
