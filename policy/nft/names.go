package nft

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"weir/policy"
)

// names gives chains and sets names that people can read: no two of them the
// same, and each the same in every script of an equal policy.
type names struct {
	byKey map[string]string
	used  map[string]bool
}

func newNames() *names { return &names{byKey: map[string]string{}, used: map[string]bool{}} }

// maxName is what a name has room for: nft allows 127, and a number or a
// suffix may follow.
const maxName = 100

// of is the name of a key; wish is what it would like to be called.
func (n *names) of(key, wish string) string {
	if name := n.byKey[key]; name != "" {
		return name
	}
	base := clean(wish)
	name := base
	for i := 2; n.used[name]; i++ {
		name = fmt.Sprintf("%s_%d", base, i)
	}
	n.used[name] = true
	n.byKey[key] = name
	return name
}

// clean keeps what a name may have.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if isLetter(byte(r)) && r < utf8.RuneSelf || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '_'
	}, s)
	return s[:min(len(s), maxName)]
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// word is what names are made of: the thing's name, if something is left of it,
// or its id.
func word(name, id string) string {
	if strings.Trim(clean(name), "_") == "" {
		return id
	}
	return name
}

// label names a thing for people, on one line.
func label(name, id string) string {
	const most = 60
	if runes := []rune(name); len(runes) > most {
		name = string(runes[:most]) + "…"
	}
	if name == "" {
		return plain(id)
	}
	return plain(name) + " (" + plain(id) + ")"
}

// groupWords is the groups of a set as part of a chain's name: of many, the
// first ones.
func groupWords(s *policy.GroupSet) string {
	const most = 3
	var words []string
	for n, g := range s.Groups {
		if n == most {
			words = append(words, fmt.Sprintf("and_%d", len(s.Groups)-most))
			break
		}
		w := word(g.Name, g.ID)
		words = append(words, w[:min(len(w), maxName/(most+1))])
	}
	return strings.Join(words, "_")
}

func groupLabels(s *policy.GroupSet) string {
	labels := make([]string, len(s.Groups))
	for i, g := range s.Groups {
		labels[i] = label(g.Name, g.ID)
	}
	return strings.Join(labels, ", ")
}

// maxComment is what a rule's comment has room for in the kernel.
const maxComment = 127

// plain is text without what would end a comment or a line.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '"' || r == '\\':
			return '\''
		case r < ' ' || r == utf8.RuneError || r == 0x7f || r == '\u2028' || r == '\u2029':
			return '?'
		}
		return r
	}, s)
}

// comment quotes text for nft, which has no escapes. What is too long loses its
// middle: who refuses stands at the beginning, and why at the end.
func comment(s string) string {
	s = plain(s)
	if over := len(s) + len("…") - maxComment; len(s) > maxComment {
		from := maxComment / 2
		to := from + over
		for !utf8.RuneStart(s[from]) {
			from--
		}
		for !utf8.RuneStart(s[to]) {
			to++
		}
		s = s[:from] + "…" + s[to:]
	}
	return `"` + s + `"`
}

// device quotes a device's name. A star at its end would stand for any name
// that begins like it.
func device(name string) string {
	if before, ok := strings.CutSuffix(name, "*"); ok {
		name = before + `\*`
	}
	return `"` + name + `"`
}

// peerLabel names the group or prefix list that a rule is about.
func (r *renderer) peerLabel(m *policy.Match) string {
	if id := m.Peer.GroupID; id != "" {
		return label(r.groups[id], id)
	}
	return "prefix list " + plain(m.Peer.PrefixListID)
}
