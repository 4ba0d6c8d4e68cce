package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"weir/flowlog"
	"weir/vpc"
)

// recordFilter is a condition on one field, as it stands in a line of text.
type recordFilter struct {
	field  *flowlog.Field
	not    bool
	values []string       // texts, or numbers in their shortest form
	ranges []netip.Prefix // of an address
}

// parseRecordFilter reads FIELD=VALUE[,VALUE] or FIELD!=VALUE[,VALUE].
func parseRecordFilter(s string) (recordFilter, error) {
	name, list, ok := strings.Cut(s, "=")
	name, not := strings.CutSuffix(name, "!")
	if !ok || list == "" {
		return recordFilter{}, withHint(fmt.Errorf("--filter %.60q has no value", s), "write --filter action=REJECT or --filter srcaddr=10.0.0.0/8")
	}
	field, err := findField(strings.TrimSpace(name))
	if err != nil {
		return recordFilter{}, fmt.Errorf("--filter: %w", err)
	}
	f := recordFilter{field: field, not: not}
	for v := range strings.SplitSeq(list, ",") {
		if err := f.add(strings.TrimSpace(v)); err != nil {
			return recordFilter{}, err
		}
	}
	return f, nil
}

// add adds a value of the field's type; "-" is one of each.
func (f *recordFilter) add(v string) error {
	switch {
	case v == "-":
		f.values = append(f.values, v)
	case f.field.Address():
		p, err := parseRange(v)
		if err != nil {
			return withHint(fmt.Errorf("--filter: %.60q is no address or range of %s", v, f.field.Name), "write 10.0.1.10, 10.0.0.0/8 or 2001:db8::/32")
		}
		f.ranges = append(f.ranges, p)
	case f.field.Type == flowlog.String:
		f.values = append(f.values, v)
	default:
		n, err := strconv.ParseInt(v, 10, 64)
		if f.field.Name == "protocol" {
			var p int
			if p, err = vpc.ParseProtocol(strings.ToLower(v)); p < 0 {
				err = strconv.ErrRange
			}
			n = int64(p)
		}
		if err != nil {
			return withHint(fmt.Errorf("--filter: %.60q is no value of %s", v, f.field.Name), "weir fields %s says what is", f.field.Name)
		}
		f.values = append(f.values, strconv.FormatInt(n, 10))
	}
	return nil
}

// parseRange reads an address, or a range as CIDR; bits behind the range's length
// are let be.
func parseRange(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		return p.Masked(), err
	}
	a, err := netip.ParseAddr(s)
	return netip.PrefixFrom(a, a.BitLen()), err
}

// match reports whether a value passes, as it stands in a line. Texts are compared
// without regard to case: action=reject.
func (f *recordFilter) match(v string) bool {
	found := slices.ContainsFunc(f.values, func(w string) bool { return strings.EqualFold(v, w) })
	if !found && len(f.ranges) > 0 {
		if a, err := netip.ParseAddr(v); err == nil {
			found = slices.ContainsFunc(f.ranges, func(p netip.Prefix) bool { return p.Contains(a) })
		}
	}
	return found != f.not
}
