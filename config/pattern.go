package config

import (
	"errors"
	"regexp/syntax"
	"slices"
)

// checkPattern checks an expression that hides what it matches.
func checkPattern(ps *problems, path, pattern string) {
	re, err := syntax.Parse(pattern, syntax.Perl)
	wrong, _ := errors.AsType[*syntax.Error](err)
	switch {
	case wrong != nil:
		ps.add(path, "is no RE2 expression: %s", wrong.Code) // the whole error would hold what a reference stands for
	case matchesEmpty(re):
		ps.add(path, "must not match the empty text: it would hide nothing, or be everywhere")
	}
}

// matchesEmpty says whether an expression can match without taking a character, at some place of some text.
func matchesEmpty(re *syntax.Regexp) bool {
	switch re.Op { //nolint:exhaustive // the others take a character, or match nothing
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary,
		syntax.OpNoWordBoundary, syntax.OpStar, syntax.OpQuest:
		return true
	case syntax.OpRepeat:
		return re.Min == 0 || matchesEmpty(re.Sub[0])
	case syntax.OpPlus, syntax.OpCapture:
		return matchesEmpty(re.Sub[0])
	case syntax.OpConcat:
		return !slices.ContainsFunc(re.Sub, func(sub *syntax.Regexp) bool { return !matchesEmpty(sub) })
	case syntax.OpAlternate:
		return slices.ContainsFunc(re.Sub, matchesEmpty)
	}
	return false
}
