package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
)

// Limits of a rule. Costs are CEL's own units, about one a step and one for every ten bytes of text that a function reads:
// they are the same on every machine, so reaching the limit is as repeatable as everything else. The largest text costs
// about 100,000 to read once, and no rule takes much more than a second to reach the limit.
const (
	maxCost       = 5_000_000
	maxExpression = 10_000 // characters
	maxRegexp     = 5_000  // instructions of the compiled program
	maxNesting    = 2      // of comprehensions
)

// constants are the functions whose first or only pattern must be a constant, and how many of their arguments: what they cost is
// known after the call only, so a pattern out of the item's text could stall or fill the process.
var constants = map[string]int{"matches": 1, "replace": 2, "indexOf": 1, "lastIndexOf": 1}

// forbidden are functions of the string extensions that a condition does not need and that can make much out of little.
var forbidden = []string{"join", "format"}

// rule is a compiled rule.
type rule struct {
	Rule
	program        cel.Program
	usesPrediction bool
	labels         []string // that the condition compares with or asks the score of
}

// newEnv returns the language of rules.
func newEnv() (*cel.Env, error) {
	reg, err := newRegistry()
	if err != nil {
		return nil, err
	}
	return cel.NewEnv(
		cel.CustomTypeAdapter(reg),
		cel.CustomTypeProvider(reg),
		cel.Variable("item", cel.ObjectType(itemType)),
		cel.Variable("prediction", cel.ObjectType(predictionType)),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.OptionalTypes(),
		ext.Strings(),
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.RegexProgramSizeLimit(maxRegexp),
		cel.ASTValidators(
			cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateRegexLiterals(),
			cel.ValidateComprehensionNestingLimit(maxNesting),
		),
	)
}

// compile checks a rule's condition. The error shows where it is wrong.
func compile(env *cel.Env, r Rule) (rule, error) {
	if strings.TrimSpace(r.When) == "" {
		return rule{}, errors.New("when: is missing")
	}
	source := common.NewStringSource(r.When, "when")
	checked, issues := env.CompileSource(source)
	if err := issues.Err(); err != nil {
		return rule{}, err
	}
	if t := checked.OutputType(); !t.IsExactType(types.BoolType) {
		return rule{}, fmt.Errorf("when: is of type %s, must be bool; compare it with something, as in item.metadata.vip == true", t)
	}
	out := rule{Rule: r}
	root := ast.NavigateAST(checked.NativeRep())
	if err := checkUse(root, source, checked.NativeRep()); err != nil {
		return rule{}, err
	}
	out.usesPrediction = len(ast.MatchDescendants(root, func(e ast.NavigableExpr) bool { return identified(e, "prediction") })) > 0
	out.labels = namedLabels(root)
	program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxCost))
	if err != nil {
		return rule{}, fmt.Errorf("when: %w", err)
	}
	out.program = program
	return out, nil
}

// holds evaluates the condition. A condition that fails holds.
func (r rule) holds(v *vars) (bool, error) {
	out, _, err := r.program.Eval(v)
	if err != nil {
		return true, fmt.Errorf("rule %q: %w", r.Name, err)
	}
	b, ok := out.(types.Bool)
	if !ok {
		return true, fmt.Errorf("rule %q: gave a %s, not a bool", r.Name, out.Type().TypeName())
	}
	return bool(b), nil
}

// checkUse refuses what a hostile text could make expensive, and variables used whole, which would fail on every item.
func checkUse(root ast.NavigableExpr, source common.Source, checked *ast.AST) error {
	found := common.NewErrors(source)
	for _, call := range ast.MatchDescendants(root, ast.KindMatcher(ast.CallKind)) {
		c := call.AsCall()
		name, args := c.FunctionName(), c.Args()
		where := checked.SourceInfo().GetStartLocation(call.ID())
		if slices.Contains(forbidden, name) {
			found.ReportErrorAtID(call.ID(), where, "%s is not available in rules", name)
			continue
		}
		n, ok := constants[name]
		if !ok {
			continue
		}
		if !c.IsMemberFunction() {
			args = args[min(1, len(args)):] // matches(text, pattern)
		}
		for _, a := range args[:min(n, len(args))] {
			if a.Kind() != ast.LiteralKind {
				found.ReportErrorAtID(a.ID(), checked.SourceInfo().GetStartLocation(a.ID()), "%s takes only a constant here", name)
			}
		}
	}
	for _, v := range ast.MatchDescendants(root, ast.KindMatcher(ast.IdentKind)) {
		parent, ok := v.Parent()
		if name := v.AsIdent(); (name == "item" || name == "prediction") && (!ok || parent.Kind() != ast.SelectKind) {
			found.ReportErrorAtID(v.ID(), checked.SourceInfo().GetStartLocation(v.ID()), "%s can only be asked for its fields", name)
		}
	}
	if len(found.GetErrors()) > 0 {
		return errors.New(found.ToDisplayString())
	}
	return nil
}

func identified(e ast.Expr, name string) bool {
	return e.Kind() == ast.IdentKind && e.AsIdent() == name
}

// selects says whether e is prediction.FIELD.
func selects(e ast.Expr, field string) bool {
	return e.Kind() == ast.SelectKind && e.AsSelect().FieldName() == field && identified(e.AsSelect().Operand(), "prediction")
}

// namedLabels returns the labels that a condition names: prediction.label compared with a constant, and scores asked for by one.
func namedLabels(root ast.NavigableExpr) []string {
	var labels []string
	add := func(e ast.Expr) {
		if e.Kind() != ast.LiteralKind {
			return
		}
		if s, ok := e.AsLiteral().(types.String); ok {
			labels = append(labels, string(s))
		}
	}
	for _, n := range ast.MatchDescendants(root, ast.KindMatcher(ast.CallKind)) {
		args := n.AsCall().Args()
		if len(args) != 2 {
			continue
		}
		switch n.AsCall().FunctionName() {
		case operators.Equals, operators.NotEquals:
			for i, a := range args {
				if selects(a, "label") {
					add(args[1-i])
				}
			}
		case operators.In:
			if selects(args[0], "label") && args[1].Kind() == ast.ListKind {
				for _, e := range args[1].AsList().Elements() {
					add(e)
				}
			}
			if selects(args[1], "scores") {
				add(args[0])
			}
		case operators.Index, operators.OptIndex:
			if selects(args[0], "scores") {
				add(args[1])
			}
		}
	}
	for _, n := range ast.MatchDescendants(root, ast.KindMatcher(ast.SelectKind)) {
		if s := n.AsSelect(); selects(s.Operand(), "scores") {
			labels = append(labels, s.FieldName())
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(labels)))
}
