package flowlogs

import (
	"fmt"
	"slices"
	"strings"
)

// Filter is a filter of DescribeFlowLogs: it matches when one of its values does.
// Values may have the wildcards * (any letters) and ? (any one), and a backslash
// before either, or before another backslash, to mean the letter itself. Names
// and values are case-sensitive.
type Filter struct {
	Name   string
	Values []string
}

// Filters are several, all of which must match. The zero value matches all.
type Filters []Filter

// Bounds of one request's filters (Amazon EC2 User Guide, "Filtering": 200
// values, of 255 letters).
const (
	maxFilterValues = 200
	maxFilterLength = 255
)

// tagFilter is followed by the tag's key.
const tagFilter = "tag:"

// statusFilter is singular, unlike the field that it is about.
const statusFilter = "deliver-log-status"

// filters is the one list of what flow logs can be filtered by, apart from
// "tag:KEY" (Amazon EC2 API Reference, DescribeFlowLogs).
var filters = []struct {
	name string
	get  func(f *FlowLog, status string) []string
}{
	{statusFilter, func(_ *FlowLog, status string) []string { return []string{status} }},
	{"log-destination-type", func(f *FlowLog, _ string) []string { return []string{f.DestinationType} }},
	{"flow-log-id", func(f *FlowLog, _ string) []string { return []string{f.ID} }},
	{"log-group-name", func(f *FlowLog, _ string) []string { return present(f.LogGroup) }},
	{"resource-id", func(f *FlowLog, _ string) []string { return []string{f.ResourceID} }},
	{"traffic-type", func(f *FlowLog, _ string) []string { return present(f.Traffic) }},
	{"tag-key", func(f *FlowLog, _ string) []string {
		var keys []string
		for _, t := range f.Tags {
			keys = append(keys, t.Key)
		}
		return keys
	}},
}

func present(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// FilterNames are the names of filters, for people: tag:KEY stands for one of
// each key.
func FilterNames() []string {
	names := []string{tagFilter + "KEY"}
	for _, f := range filters {
		names = append(names, f.name)
	}
	slices.Sort(names)
	return names
}

func isFilter(name string) bool {
	if key, isTag := strings.CutPrefix(name, tagFilter); isTag {
		return key != ""
	}
	for _, f := range filters {
		if f.name == name {
			return true
		}
	}
	return false
}

// Check wants known names, with values. The error is an [*Error].
func (fs Filters) Check() error {
	n := 0
	for _, f := range fs {
		if !isFilter(f.Name) {
			return &Error{
				Code: InvalidValue, Param: "Filter", Message: fmt.Sprintf("The filter '%s' is invalid", excerpt(f.Name)),
				hint: "filters are " + strings.Join(FilterNames(), ", "),
			}
		}
		n += len(f.Values)
		long := slices.ContainsFunc(f.Values, func(v string) bool { return len([]rune(v)) > maxFilterLength })
		switch {
		case len(f.Values) == 0: // AWS's text is not known
			return &Error{Code: InvalidValue, Param: "Filter", Message: fmt.Sprintf("The filter '%s' has no values", f.Name)}
		case long || n > maxFilterValues:
			return &Error{Code: FilterLimitExceeded, Param: "Filter", Message: "The request uses too many filters or too many filter values."}
		}
	}
	return nil
}

// Match reports whether a flow log passes all filters. The status is that of its
// delivery, SUCCESS or FAILED. A filter that Check refuses matches nothing.
func (fs Filters) Match(f *FlowLog, status string) bool {
	for _, filter := range fs {
		if !filter.match(f, status) {
			return false
		}
	}
	return true
}

func (f *Filter) match(l *FlowLog, status string) bool {
	var have []string
	if key, isTag := strings.CutPrefix(f.Name, tagFilter); isTag {
		for _, t := range l.Tags {
			if t.Key == key {
				have = append(have, t.Value)
			}
		}
	}
	for _, known := range filters {
		if known.name == f.Name {
			have = known.get(l, status)
		}
	}
	return slices.ContainsFunc(have, func(v string) bool {
		return slices.ContainsFunc(f.Values, func(pattern string) bool { return wildcard(pattern, v) })
	})
}

// wildcard reports whether s has the form of the pattern.
func wildcard(pattern, s string) bool {
	p, t := []rune(pattern), []rune(s)
	star, from := -1, 0 // behind the last *, and where in t it was tried last
	i, j := 0, 0
	for j < len(t) {
		step, ok := one(p, i, t[j])
		switch {
		case i < len(p) && p[i] == '*':
			star, from = i+1, j
			i++
		case ok:
			i, j = i+step, j+1
		case star >= 0:
			from++
			i, j = star, from
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}

// one matches one letter, and says how many of the pattern's stood for it.
func one(p []rune, i int, r rune) (step int, ok bool) {
	switch {
	case i >= len(p):
		return 0, false
	case p[i] == '\\' && i+1 < len(p) && strings.ContainsRune(`*?\`, p[i+1]):
		return 2, p[i+1] == r
	}
	return 1, p[i] == '?' || p[i] == r
}

// ParseFilter reads a filter of the command line, in either of the forms
// NAME=VALUE,VALUE and Name=NAME,Values=VALUE,VALUE (the AWS CLI's). The error is
// an [*Error].
func ParseFilter(s string) (Filter, error) {
	name, values, ok := strings.Cut(s, "=")
	if rest, aws := strings.CutPrefix(s, "Name="); aws {
		name, values, ok = strings.Cut(rest, ",Values=")
	}
	f := Filter{Name: name}
	if ok {
		f.Values = strings.Split(values, ",")
	}
	if err := (Filters{f}).Check(); err != nil {
		return Filter{}, err
	}
	return f, nil
}
