package journal

import "strings"

// names are what the journal is called inside NATS.
type names struct {
	counts, catalogue string // stream, bucket
	chunks, swaps     string // subjects without their last parts
	fill, news        string // subjects
}

func newNames(name string) names {
	return names{
		counts:    name + "-counts",
		catalogue: name + "-catalogue",
		chunks:    name + ".counts",
		swaps:     name + ".swaps",
		fill:      name + ".fill",
		news:      name + ".news",
	}
}

// chunk is the subject of an interface's chunks.
func (n *names) chunk(vpc, subnet, id string) string {
	return n.chunks + "." + token(vpc) + "." + token(subnet) + "." + token(id)
}

// closing is the subject of a host's closing messages.
func (n *names) closing(host string) string { return n.swaps + "." + token(host) }

// token makes a part of a subject of any text: letters, digits, '-' and '_' stay,
// the rest becomes '_', and nothing becomes "none".
func token(s string) string {
	if s == "" {
		return "none"
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '-', r == '_':
			return r
		}
		return '_'
	}, s)
}
