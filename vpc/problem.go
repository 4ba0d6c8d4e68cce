package vpc

import (
	"slices"
	"strconv"
	"strings"
)

// Problem is one thing that is wrong with a topology.
type Problem struct {
	Path  Path
	Cause string // what is wrong, with the value: "10.0.1.0/24 overlaps subnet app's 10.0.0.0/16"
	Hint  string // what to do about it; may be empty
	Other Path   // the earlier thing that it collides with, or none
	// Warning is a thing that works and is likely not meant.
	Warning bool
}

// Error is the path and the cause. A Problem can be returned as an error.
func (p Problem) Error() string {
	s := p.Cause
	if len(p.Path) > 0 {
		s = p.Path.String() + ": " + s
	}
	if len(p.Other) > 0 {
		s += " (" + p.Other.String() + ")"
	}
	return s
}

// Path leads from a Topology to one of its values, in the words of a topology
// file: subnets[2].cidrs[0].
type Path []Step

// Step is a field, or an element of a field's list.
type Step struct {
	Name  string
	Index int // -1: the field as a whole
}

// At is a path's beginning: an element of one of the topology's lists.
func At(list string, index int) Path { return Path{{list, index}} }

// Field is the path with a field added.
func (p Path) Field(name string) Path { return p.Item(name, -1) }

// Item is the path with a list's element added.
func (p Path) Item(name string, index int) Path {
	return append(slices.Clip(p), Step{name, index})
}

func (p Path) String() string {
	var b strings.Builder
	for i, s := range p {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(s.Name)
		if s.Index >= 0 {
			b.WriteByte('[')
			b.WriteString(strconv.Itoa(s.Index))
			b.WriteByte(']')
		}
	}
	return b.String()
}

// Errors are the problems that are not warnings.
func Errors(list []Problem) []Problem {
	var errs []Problem
	for _, p := range list {
		if !p.Warning {
			errs = append(errs, p)
		}
	}
	return errs
}
