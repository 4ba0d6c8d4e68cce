package declare

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// parsePlain reads the part of YAML that files are written in by hand and by
// generators: blocks, [lists] and {mappings} on one line, words, quoted words,
// comments. It gives up at anything else, and says where; parseYAML reads that.
// It exists for large files: 100,000 rules take the library seconds and 600 MB.
// FuzzPlain holds that both see the same tree.
func parsePlain(text string) (root *node, fault *syntaxError) {
	p := plain{}
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(*syntaxError)
			if !ok {
				panic(r)
			}
			root, fault = nil, e
		}
	}()
	p.split(text)
	if len(p.lines) == 0 {
		return &node{kind: nullNode, line: 1, column: 1}, nil
	}
	root = p.block(p.lines[0].indent, 0)
	if p.at < len(p.lines) {
		p.fail(p.lines[p.at], 0, "this line is indented less than the first")
	}
	return root, nil
}

// plainLine is a line with something on it, without indentation and comment.
type plainLine struct {
	number int32
	indent int32
	text   string
}

type plain struct {
	lines []plainLine
	at    int // the next line
	nodes int
}

// fail gives up. Only parsePlain catches it.
func (p *plain) fail(l plainLine, offset int, format string, args ...any) {
	panic(&syntaxError{line: int(l.number), column: int(l.indent) + offset + 1, msg: fmt.Sprintf(format, args...)})
}

// split finds the lines that hold something.
func (p *plain) split(text string) {
	number := int32(0)
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSuffix(line, "\n")
		body := strings.TrimLeft(line, " ")
		l := plainLine{number: number, indent: int32(len(line) - len(body))}
		if body == "" {
			continue
		}
		if i := strings.IndexFunc(body, isOdd); i >= 0 || !utf8.ValidString(body) {
			p.fail(l, max(0, i), "a tab or a control character")
		}
		if body[0] == '#' {
			continue
		}
		if number == 1 && body[0] == '%' || strings.HasPrefix(line, "---") || strings.HasPrefix(line, "...") {
			p.fail(l, 0, "a directive or a document's mark")
		}
		l.text = p.uncomment(l, body)
		p.lines = append(p.lines, l)
	}
}

// isOdd holds for what ends a line somewhere, or marks a text's byte order.
func isOdd(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r == '\ufeff'
}

// uncomment cuts the comment and the spaces at a line's end off.
func (p *plain) uncomment(l plainLine, s string) string {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '#' && s[i-1] == ' ': // one at the beginning is no line at all
			return strings.TrimRight(s[:i], " ")
		case (c == '\'' || c == '"') && (i == 0 || strings.IndexByte(" [{,", s[i-1]) >= 0):
			end := quoteEnd(s[i+1:], c)
			if end < 0 {
				p.fail(l, i, "a quoted text of several lines")
			}
			i += end + 1
		}
	}
	return strings.TrimRight(s, " ")
}

func (p *plain) node(kind nodeKind, l plainLine, offset int) *node {
	if p.nodes++; p.nodes > maxNodes {
		p.fail(l, offset, "the file has more than %d values", maxNodes)
	}
	return &node{kind: kind, line: l.number, column: l.column(offset)}
}

// column is the column of a byte of the line: letters, not bytes, from 1.
func (l *plainLine) column(offset int) int32 {
	return l.indent + int32(utf8.RuneCountInString(l.text[:offset])) + 1
}

// block reads the lines at an indentation and those below them.
func (p *plain) block(indent int32, depth int) *node {
	l := p.lines[p.at]
	if depth > maxDepth {
		p.fail(l, 0, "more than %d lists and mappings inside each other", maxDepth)
	}
	switch {
	case isItem(l.text):
		return p.list(indent, depth)
	case keyEnd(l.text) > 0:
		return p.mapping(indent, depth)
	}
	p.fail(l, 0, "a text of several lines, or something other than a list or a mapping")
	return nil
}

func isItem(s string) bool { return s == "-" || strings.HasPrefix(s, "- ") }

// keyEnd is where the colon behind a line's key is, or -1. A key is a bare word.
func keyEnd(s string) int {
	i := 0
	for i < len(s) && isKeyByte(s[i]) {
		i++
	}
	if i == 0 || s[0] == '-' || i == len(s) || s[i] != ':' || i+1 < len(s) && s[i+1] != ' ' {
		return -1
	}
	return i
}

func isKeyByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

func (p *plain) list(indent int32, depth int) *node {
	made := p.node(listNode, p.lines[p.at], 0)
	for p.at < len(p.lines) && p.lines[p.at].indent == indent && isItem(p.lines[p.at].text) {
		l := &p.lines[p.at]
		rest := strings.TrimLeft(l.text[1:], " ")
		offset := len(l.text) - len(rest)
		if rest == "" {
			p.fail(*l, 0, "a hyphen without its item on the same line")
		}
		if isItem(rest) || keyEnd(rest) > 0 {
			// What follows the hyphen is a block of its own, as if the hyphen
			// were a space.
			l.indent, l.text = l.indent+int32(offset), rest
			made.items = append(made.items, p.block(l.indent, depth+1))
			continue
		}
		made.items = append(made.items, p.value(*l, offset, indent+1))
	}
	p.ended(indent)
	made.adopt()
	return made
}

func (p *plain) mapping(indent int32, depth int) *node {
	made := p.node(mappingNode, p.lines[p.at], 0)
	for p.at < len(p.lines) && p.lines[p.at].indent == indent {
		l := p.lines[p.at]
		end := keyEnd(l.text)
		if end < 0 {
			break
		}
		made.keys = append(made.keys, key{name: l.text[:end], line: l.number, column: l.indent + 1})
		rest := strings.TrimLeft(l.text[end+1:], " ")
		if rest != "" {
			made.items = append(made.items, p.value(l, len(l.text)-len(rest), indent+1))
			continue
		}
		least := indent + 1
		if p.at+1 < len(p.lines) && p.lines[p.at+1].indent == indent && isItem(p.lines[p.at+1].text) {
			least = indent // a list may stand right below its key
		}
		made.items = append(made.items, p.below(l, end+1, least, depth))
	}
	p.ended(indent)
	made.adopt()
	return made
}

// ended wants a block to end where another one, further out, goes on.
func (p *plain) ended(indent int32) {
	if p.at < len(p.lines) && p.lines[p.at].indent > indent {
		p.fail(p.lines[p.at], 0, "this line is indented unlike the others")
	}
	if p.at < len(p.lines) && p.lines[p.at].indent == indent && !isItem(p.lines[p.at].text) && keyEnd(p.lines[p.at].text) < 0 {
		p.fail(p.lines[p.at], 0, "neither a list's item nor a key")
	}
}

// below is the value of a line that ends with its hyphen or colon: the block
// under it, or nothing.
func (p *plain) below(l plainLine, offset int, least int32, depth int) *node {
	p.at++
	if p.at < len(p.lines) && p.lines[p.at].indent >= least {
		return p.block(p.lines[p.at].indent, depth+1)
	}
	return p.node(nullNode, l, offset)
}

// value is the rest of a line. The next line must not go on with it.
func (p *plain) value(l plainLine, offset int, least int32) *node {
	s := scan{p: p, l: l, at: offset}
	n := s.value(false, 0)
	if s.at < len(l.text) {
		p.fail(l, s.at, "something follows the value")
	}
	p.at++
	if p.at < len(p.lines) && p.lines[p.at].indent >= least {
		p.fail(p.lines[p.at], 0, "a value of several lines")
	}
	return n
}

// scan reads one value on one line.
type scan struct {
	p  *plain
	l  plainLine
	at int
}

func (s *scan) fail(format string, args ...any) { s.p.fail(s.l, s.at, format, args...) }

func (s *scan) spaces() {
	for s.at < len(s.l.text) && s.l.text[s.at] == ' ' {
		s.at++
	}
}

// peek is the next byte; there must be one.
func (s *scan) peek() byte {
	if s.at >= len(s.l.text) {
		s.fail("a value of several lines")
	}
	return s.l.text[s.at]
}

func (s *scan) value(flow bool, depth int) *node {
	if depth > maxDepth {
		s.fail("more than %d lists and mappings inside each other", maxDepth)
	}
	switch c := s.peek(); c {
	case '[':
		return s.list(depth)
	case '{':
		return s.mapping(depth)
	case '\'', '"':
		return s.quoted(c)
	default:
		return s.word(flow)
	}
}

func (s *scan) list(depth int) *node {
	made := s.p.node(listNode, s.l, s.at)
	s.at++
	for s.spaces(); s.peek() != ']'; {
		made.items = append(made.items, s.value(true, depth+1))
		s.separator(']')
	}
	s.at++
	s.spaces()
	made.adopt()
	return made
}

func (s *scan) mapping(depth int) *node {
	made := s.p.node(mappingNode, s.l, s.at)
	s.at++
	for s.spaces(); s.peek() != '}'; {
		end := keyEnd(s.l.text[s.at:])
		if end < 0 {
			s.fail("a key that is no bare word")
		}
		made.keys = append(made.keys, key{name: s.l.text[s.at : s.at+end], line: s.l.number, column: s.l.column(s.at)})
		s.at += end + 1
		s.spaces()
		made.items = append(made.items, s.value(true, depth+1))
		s.separator('}')
	}
	s.at++
	s.spaces()
	made.adopt()
	return made
}

// separator passes a comma, behind which another item follows, or stays at the
// end.
func (s *scan) separator(end byte) {
	s.spaces()
	switch s.peek() {
	case end:
		return
	case ',':
		s.at++
		s.spaces()
		if s.peek() != end {
			return
		}
	}
	s.fail("neither a comma nor a closing bracket")
}

func (s *scan) quoted(q byte) *node {
	n := s.p.node(scalarNode, s.l, s.at)
	s.at++
	end := quoteEnd(s.l.text[s.at:], q)
	if end < 0 {
		s.fail("a quoted text of several lines")
	}
	n.text = s.l.text[s.at : s.at+end]
	switch {
	case q == '\'':
		n.text = strings.ReplaceAll(n.text, "''", "'")
	case strings.IndexByte(n.text, '\\') >= 0:
		s.fail("an escape")
	}
	s.at += end + 1
	s.spaces()
	return n
}

// quoteEnd is where a quoted text ends, or -1. Two single quotes are one of it.
func quoteEnd(s string, q byte) int {
	for i := 0; i < len(s); i++ {
		if s[i] != q {
			continue
		}
		if q == '"' || i+1 == len(s) || s[i+1] != q {
			return i
		}
		i++
	}
	return -1
}

// word is a bare text. What could be taken for something else is given up.
func (s *scan) word(flow bool) *node {
	n := s.p.node(scalarNode, s.l, s.at)
	start := s.at
	for s.at < len(s.l.text) && isWordByte(s.l.text[s.at]) {
		c := s.l.text[s.at]
		if c == ':' && (s.at+1 == len(s.l.text) || !isKeyByte(s.l.text[s.at+1]) && strings.IndexByte(":/", s.l.text[s.at+1]) < 0) {
			s.fail("a colon that may end a key")
		}
		if c == '-' && s.at == start && (s.at+1 == len(s.l.text) || !isKeyByte(s.l.text[s.at+1])) {
			s.fail("a hyphen that may begin an item")
		}
		s.at++
	}
	n.text = strings.TrimRight(s.l.text[start:s.at], " ")
	switch {
	case n.text == "":
		s.fail("a sign with a meaning of its own")
	case s.at < len(s.l.text) && (!flow || strings.IndexByte(",]}", s.l.text[s.at]) < 0):
		s.fail("a sign with a meaning of its own")
	}
	switch n.text {
	case "null", "Null", "NULL":
		n.kind, n.text = nullNode, ""
	}
	return n
}

func isWordByte(c byte) bool {
	return isKeyByte(c) || strings.IndexByte(" ./:+()=;$^", c) >= 0
}
