package declare

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"weir/vpc"
)

// decoder reads values of the tree and collects what is wrong with them.
type decoder struct {
	options  Options
	problems Problems
	reported map[place]bool // places with a problem; Check need not name them again
	rules    int            // made so far
	rulesMax bool           // there are more than vpc.MaxRules; none is made any more
	origin   origins
}

// place is a line and a column.
type place struct{ line, column int32 }

func (n *node) place() place { return place{n.line, n.column} }

// add reports a problem with a value.
func (d *decoder) add(n *node, hint, format string, args ...any) {
	d.addAt(n.place(), n.path(), hint, format, args...)
}

func (d *decoder) addAt(at place, path, hint, format string, args ...any) {
	d.reported[at] = true
	d.problems = append(d.problems, Problem{
		Line: int(at.line), Column: int(at.column), Path: path, Cause: fmt.Sprintf(format, args...), Hint: hint,
	})
}

// object wants a mapping with some keys and reports all others, and those that
// are there twice.
func (d *decoder) object(n *node, what string, known ...string) bool {
	if n.kind != mappingNode {
		d.add(n, "its keys are "+strings.Join(known, ", "), "%s wants to be a mapping, not %v", what, n.kind)
		return false
	}
	seen := make(map[string]int32, len(n.keys))
	for _, k := range n.keys {
		at := place{k.line, k.column}
		first, twice := seen[k.name]
		switch {
		case twice && !k.merged:
			d.addAt(at, n.path(), "", "the key %q is here twice (line %d)", k.name, first)
			continue
		case slices.Contains(known, k.name):
		default:
			hint := "the keys of " + what + " are " + strings.Join(known, ", ")
			if near := nearest(k.name, known); near != "" {
				hint = "did you mean " + near + "?"
			}
			d.addAt(at, n.path(), hint, "unknown key %q", shorten(k.name))
		}
		seen[k.name] = k.line
	}
	return true
}

func shorten(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}

// text is the key's word, or empty when the key is not there.
func (d *decoder) text(n *node, key string) string {
	v := n.get(key)
	if v == nil {
		return ""
	}
	return d.word(v)
}

// word is a scalar's text, or empty after a problem.
func (d *decoder) word(v *node) string { return d.bounded(v, vpc.MaxText) }

// bounded is a word of so many bytes at most.
func (d *decoder) bounded(v *node, most int) string {
	switch {
	case v.kind == nullNode:
		d.add(v, "leave the key out, or give it a value", "there is no value")
	case v.kind != scalarNode:
		d.add(v, "", "a word is wanted, not %v", v.kind)
	case v.text == "":
		d.add(v, "leave the key out, or give it a value", "the value is empty")
	case len(v.text) > most:
		d.add(v, "", "the text is longer than %d bytes", most)
	case strings.ContainsFunc(v.text, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }):
		d.add(v, "", "the text has a line's end or a control character")
	default:
		return v.text
	}
	return ""
}

// list is the key's items: those of a list, or the one word that stands for a
// list of one. Lists in it are taken apart, so that an alias may stand for
// several items.
func (d *decoder) list(n *node, key string) []*node {
	v := n.get(key)
	if v == nil {
		return nil
	}
	return d.items(v)
}

func (d *decoder) items(v *node) []*node {
	switch v.kind {
	case nullNode:
		d.add(v, "write [] for an empty list, or leave the key out", "there is no value")
		return nil
	case listNode:
		var all []*node
		for _, item := range v.items {
			if item.kind == listNode {
				all = append(all, d.items(item)...)
				continue
			}
			all = append(all, item)
		}
		return all
	}
	return []*node{v}
}

// network is a CIDR.
func (d *decoder) network(v *node) (netip.Prefix, bool) {
	s := d.word(v)
	if s == "" {
		return netip.Prefix{}, false
	}
	p, err := netip.ParsePrefix(s)
	if err == nil {
		return p, true
	}
	hint := "write it as 10.0.0.0/16 or 2001:db8::/56"
	if a, err := netip.ParseAddr(s); err == nil {
		hint = fmt.Sprintf("write %v/%d for this address alone", a, a.BitLen())
	}
	d.add(v, hint, "%q is not a network", shorten(s))
	return netip.Prefix{}, false
}

// networks is the key's CIDRs; ok is false when one of them is none.
func (d *decoder) networks(n *node, key string) (all []netip.Prefix, ok bool) {
	ok = true
	for _, v := range d.list(n, key) {
		p, fine := d.network(v)
		if ok = ok && fine; fine {
			all = append(all, p)
		}
	}
	return all, ok
}

// tags is the key's mapping of words.
func (d *decoder) tags(n *node) map[string]string {
	v := n.get("tags")
	if v == nil {
		return nil
	}
	if v.kind != mappingNode {
		d.add(v, "write it as {team: shop, stage: test}", "tags want to be a mapping, not %v", v.kind)
		return nil
	}
	tags := make(map[string]string, len(v.keys))
	for i, k := range v.keys {
		if _, twice := tags[k.name]; twice {
			d.addAt(place{k.line, k.column}, v.path(), "", "the tag %q is here twice", shorten(k.name))
		}
		if item := v.items[i]; item.kind == nullNode || item.kind == scalarNode && item.text == "" {
			tags[k.name] = ""
			continue
		}
		tags[k.name] = d.word(v.items[i])
	}
	if len(tags) == 0 {
		return nil
	}
	return tags
}
