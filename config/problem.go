package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one mistake in a configuration.
type Problem struct {
	File    string // as given to Load; empty for a Config that was not read from a file
	Line    int    // from 1; 0 when the mistake is something missing that has no place
	Column  int    // from 1, in characters
	Path    string // of the field, "sources.orders.auth.bearer[0]"; empty when the file is no YAML
	Message string // what is wrong and what would be right
	Source  string // the line of the file, without the values that hold secrets; empty when Line is 0
	caret   int    // Column in Source; 0: the same
}

// String returns "file:line:column: path: message" in one line.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
		}
		b.WriteString(": ")
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	return b.String() + p.Message
}

// Snippet returns the line with a caret below its column, in two lines, or "".
func (p Problem) Snippet() string {
	if p.Source == "" {
		return ""
	}
	gutter := fmt.Sprintf("%5d | ", p.Line)
	bar := strings.Repeat(" ", len(gutter)-2) + "| "
	caret := p.caret
	if caret == 0 {
		caret = p.Column
	}
	return gutter + p.Source + "\n" + bar + strings.Repeat(" ", max(caret-1, 0)) + "^"
}

// Error is everything that is wrong with a configuration, in the order of the file.
type Error struct{ Problems []Problem }

// Error returns all problems with their lines, over several lines. No secret's text is among them.
func (e *Error) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.String())
		if s := p.Snippet(); s != "" {
			b.WriteString("\n" + s)
		}
	}
	return b.String()
}

// problems collects mistakes, with the document they were made in if there is one.
type problems struct {
	doc   *document // nil: no places are known
	found []Problem
	bad   map[string]bool // paths that could not be read: what lies below them is not complained about again
}

func newProblems(doc *document) *problems { return &problems{doc: doc, bad: map[string]bool{}} }

// add notes a mistake of a field, unless the field or one above it could not be read.
func (ps *problems) add(path, format string, args ...any) {
	for at := path; at != ""; at = above(at) {
		if ps.bad[at] {
			return
		}
	}
	p := Problem{Path: path, Message: fmt.Sprintf(format, args...)}
	if ps.doc != nil {
		pl := ps.doc.nearest(path)
		p.Line, p.Column = pl.line, pl.column
	}
	ps.found = append(ps.found, p)
}

// unreadable notes that a field could not be read.
func (ps *problems) unreadable(path, format string, args ...any) {
	ps.add(path, format, args...)
	ps.bad[path] = true
}

// err returns what was collected as an *Error, or nil.
func (ps *problems) err() error {
	if len(ps.found) == 0 {
		return nil
	}
	for i, p := range ps.found {
		if ps.doc != nil {
			ps.found[i].File = ps.doc.name
			ps.found[i].Source, ps.found[i].caret = ps.doc.show(p.Line, p.Column)
		}
	}
	slices.SortStableFunc(ps.found, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return &Error{ps.found}
}

// above returns the path without its last step.
func above(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}

// join returns the path of a key below path.
func join(path, key string) string {
	if strings.ContainsAny(key, ".[]\" \t\n") || key == "" {
		return fmt.Sprintf("%s[%q]", path, key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// index returns the path of an element of a list.
func index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
