package declare

import (
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a file.
type Problem struct {
	Line, Column int    // from 1; 0 when the whole file is meant
	Path         string // in the file: vpcs[0].subnets[1].cidrs[0]; may be empty
	Cause        string
	Hint         string // what to do about it; may be empty
	Other        int    // line of the earlier thing that it collides with, or 0
	Warning      bool   // it works, and is likely not meant
}

// Error is "17:9: vpcs[0].subnets[1].cidrs[0]: 10.0.1.0/24 overlaps …". With a
// file's name and a colon before it, editors and terminals find the line.
func (p Problem) Error() string {
	var b strings.Builder
	if p.Line > 0 {
		fmt.Fprintf(&b, "%d:%d: ", p.Line, p.Column)
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Cause)
	if p.Other > 0 && p.Other != p.Line {
		fmt.Fprintf(&b, " (line %d)", p.Other)
	}
	return b.String()
}

// Problems are what is wrong with a file, by line.
type Problems []Problem

// Errors are those that are not warnings. With any, the file must not be used.
func (ps Problems) Errors() Problems {
	return slices.DeleteFunc(slices.Clone(ps), func(p Problem) bool { return p.Warning })
}

// Err is nil without errors, otherwise one error that tells all of them.
func (ps Problems) Err() error {
	if errs := ps.Errors(); len(errs) > 0 {
		return &Error{errs}
	}
	return nil
}

// Error is a file that cannot be used. Problems is not empty.
type Error struct{ Problems Problems }

func (e *Error) Error() string {
	first := e.Problems[0].Error()
	switch n := len(e.Problems); n {
	case 1:
		return first
	case 2:
		return first + " (and another problem)"
	default:
		return fmt.Sprintf("%s (and %d other problems)", first, n-1)
	}
}

// Hint is the first problem's.
func (e *Error) Hint() string { return e.Problems[0].Hint }

func (ps Problems) sort() {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
}

// nearest is the word of the list that a mistyped one was likely meant to be,
// or empty.
func nearest(word string, list []string) string {
	const longest = 64
	if len(word) > longest {
		return ""
	}
	for _, w := range list {
		if len(word) > 2 && strings.HasPrefix(w, strings.ToLower(word)) {
			return w
		}
	}
	best, distance := "", min(len(word), 1+max(1, len(word)/3))
	for _, w := range list {
		if d := editDistance(strings.ToLower(word), w, distance); d < distance {
			best, distance = w, d
		}
	}
	return best
}

// editDistance is how many letters must be put in, taken out, changed or
// swapped with the next; at least bound when it is not below it.
func editDistance(a, b string, bound int) int {
	if len(a)-len(b) >= bound || len(b)-len(a) >= bound {
		return bound
	}
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			change := above[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, above[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}
