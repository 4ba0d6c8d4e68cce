package declare

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// parseYAML reads all of YAML 1.2, through the library.
func parseYAML(data []byte) (root *node, fault *syntaxError) {
	// A parser that meets what its author did not think of is a bad file, not
	// the end of a running Weir.
	defer func() {
		if r := recover(); r != nil {
			root, fault = nil, &syntaxError{msg: "the YAML cannot be read"}
		}
	}()
	if text, _, zero := bytes.Cut(data, []byte{0}); zero {
		return nil, &syntaxError{line: 1 + bytes.Count(text, []byte("\n")), column: 1, msg: "the file is not text"}
	}
	tokens := lexer.Tokenize(string(data))
	if err := shallow(tokens); err != nil {
		return nil, err
	}
	// Duplicate keys are ours to report: with the others, not instead of them.
	f, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, yamlError(err)
	}
	var docs []*ast.DocumentNode
	for _, d := range f.Docs {
		if d.Body != nil && d.Body.Type() != ast.CommentType {
			docs = append(docs, d)
		}
	}
	switch len(docs) {
	case 0:
		return &node{kind: nullNode, line: 1, column: 1}, nil
	case 1:
	default:
		e := at(docs[1].Body, "a second document begins")
		e.hint = "a topology is one document: remove the line ---"
		return nil, e
	}
	c := converter{anchors: map[string]*node{}}
	n := c.convert(docs[0].Body, 0)
	if c.err != nil {
		return nil, c.err
	}
	return n, nil
}

// shallow refuses what would take the library's recursion too deep: it has no
// bound of its own, and a goroutine that overflows its stack ends the process.
// Brackets nest; in blocks, columns do, and chains such as "- - -" on one line.
func shallow(tokens token.Tokens) *syntaxError {
	open, chain, line := 0, 0, 0
	for _, t := range tokens {
		if t.Position == nil {
			continue
		}
		first := t.Position.Line != line
		line = t.Position.Line
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			open, chain = open+1, 0
		case token.SequenceEndType, token.MappingEndType:
			open, chain = open-1, 0
		case token.CollectEntryType:
			chain = 0
		case token.SequenceEntryType, token.MappingKeyType, token.MappingValueType, token.AnchorType, token.TagType:
			if first && open == 0 {
				chain = 0
			}
			chain++
		default:
			if first && open == 0 {
				chain = 0
			}
		}
		if open > maxDepth || chain > maxDepth || first && open == 0 && t.Position.Column > 8*maxDepth {
			return &syntaxError{
				line: line, column: t.Position.Column,
				msg: fmt.Sprintf("more than %d lists and mappings inside each other", maxDepth),
			}
		}
	}
	return nil
}

func yamlError(err error) *syntaxError {
	var e yaml.Error
	if !errors.As(err, &e) {
		return &syntaxError{msg: "not YAML: " + firstLine(err.Error())}
	}
	s := &syntaxError{msg: "not YAML: " + firstLine(e.GetMessage())}
	if t := e.GetToken(); t != nil && t.Position != nil {
		s.line, s.column = t.Position.Line, t.Position.Column
	}
	if strings.HasSuffix(s.msg, invalidKey) {
		s.hint = `put networks that begin with a colon in quotes: "::/0"`
	}
	return s
}

// invalidKey is what the library says of {from: [::/0]}, which is good YAML.
const invalidKey = "found an invalid key for this map"

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

// at is a syntax error at a node of the library.
func at(n ast.Node, format string, args ...any) *syntaxError {
	e := &syntaxError{msg: fmt.Sprintf(format, args...)}
	if t := n.GetToken(); t != nil && t.Position != nil {
		e.line, e.column = t.Position.Line, t.Position.Column
	}
	return e
}

// converter makes our tree of the library's, with anchors expanded.
type converter struct {
	anchors map[string]*node
	nodes   int
	err     *syntaxError // the first; convert does nothing more then
}

func (c *converter) fail(n ast.Node, format string, args ...any) *node {
	if c.err == nil {
		c.err = at(n, format, args...)
	}
	return &node{}
}

// convert is the tree below n; never nil.
func (c *converter) convert(n ast.Node, depth int) *node {
	if c.nodes++; c.nodes > maxNodes {
		return c.fail(n, "the file has more than %d values", maxNodes)
	}
	if depth > maxDepth {
		return c.fail(n, "more than %d lists and mappings inside each other", maxDepth)
	}
	if c.err != nil {
		return &node{}
	}
	switch n := n.(type) {
	case *ast.AnchorNode:
		made := c.convert(n.Value, depth+1)
		c.anchors[n.Name.GetToken().Value] = made
		return made
	case *ast.AliasNode:
		name := n.Value.GetToken().Value
		of, ok := c.anchors[name]
		if !ok {
			return c.fail(n, "there is no anchor &%s before this line", name)
		}
		return c.copy(of, n)
	case *ast.TagNode:
		return c.fail(n, "tags such as %s mean nothing here", n.GetToken().Value)
	case *ast.MappingNode:
		return c.mapping(n, n.Values, depth)
	case *ast.MappingValueNode:
		return c.mapping(n, []*ast.MappingValueNode{n}, depth)
	case *ast.SequenceNode:
		made := c.node(listNode, n)
		for _, v := range n.Values {
			if word := c.torn(v); n.IsFlowStyle && word != nil {
				made.items = append(made.items, word)
				continue
			}
			made.items = append(made.items, c.convert(v, depth+1))
		}
		made.adopt()
		return made
	case *ast.NullNode:
		return c.node(nullNode, n)
	case *ast.LiteralNode:
		made := c.node(scalarNode, n)
		made.text = n.Value.Value
		return made
	case ast.ScalarNode:
		made := c.node(scalarNode, n)
		made.text = n.GetToken().Value
		return made
	case nil:
		return &node{}
	}
	return c.fail(n, "this kind of YAML means nothing here")
}

// torn puts a word together that the library takes apart: in {from: [2001:db8::1]}
// it sees a mapping of 2001, where YAML wants a space behind a key's colon. Nil
// for everything else.
func (c *converter) torn(n ast.Node) *node {
	var v *ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingValueNode:
		v = n
	case *ast.MappingNode:
		if len(n.Values) != 1 || n.Start != nil && n.Start.Type == token.MappingStartType {
			return nil
		}
		v = n.Values[0]
	default:
		return nil
	}
	value, ok := v.Value.(ast.ScalarNode)
	if !ok || v.Start == nil {
		return nil
	}
	key, colon, rest := v.Key.GetToken(), v.Start, value.GetToken()
	for _, t := range []*token.Token{key, rest} {
		if t == nil || t.Position == nil || t.Type == token.SingleQuoteType || t.Type == token.DoubleQuoteType {
			return nil
		}
	}
	if colon.Position == nil || rest.Position.Line != colon.Position.Line || rest.Position.Column != colon.Position.Column+1 || rest.Value == "" {
		return nil
	}
	c.nodes++
	return &node{kind: scalarNode, text: key.Value + ":" + rest.Value, line: int32(key.Position.Line), column: int32(key.Position.Column)}
}

// tornKey finds keys that the library takes apart: in {aws:x: y} it sees the key
// aws, where YAML wants a space behind a key's colon.
func tornKey(v *ast.MappingValueNode) bool {
	if v.Start == nil || v.Value == nil {
		return false
	}
	key, colon, value := v.Key.GetToken(), v.Start.Position, v.Value.GetToken()
	if colon == nil || value == nil || value.Position == nil || key.Type == token.SingleQuoteType || key.Type == token.DoubleQuoteType {
		return false
	}
	_, scalar := v.Value.(ast.ScalarNode)
	return scalar && value.Position.Line == colon.Line && value.Position.Column == colon.Column+1 && value.Value != ""
}

func (c *converter) node(kind nodeKind, n ast.Node) *node {
	made := &node{kind: kind}
	t := n.GetToken()
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		t = m.Values[0].Key.GetToken() // not its colon
	}
	if m, ok := n.(*ast.MappingValueNode); ok {
		t = m.Key.GetToken()
	}
	if t != nil && t.Position != nil {
		made.line, made.column = int32(t.Position.Line), int32(t.Position.Column)
	}
	return made
}

func (c *converter) mapping(n ast.Node, values []*ast.MappingValueNode, depth int) *node {
	made := c.node(mappingNode, n)
	var merged []*node
	for _, v := range values {
		if v.Key.IsMergeKey() {
			merged = append(merged, c.convert(v.Value, depth+1))
			continue
		}
		t := v.Key.GetToken()
		if _, ok := v.Key.(ast.ScalarNode); !ok || t == nil || t.Type == token.MappingKeyType {
			return c.fail(v.Key, "a key must be a word")
		}
		if m, ok := n.(*ast.MappingNode); ok && m.IsFlowStyle && tornKey(v) {
			return c.fail(v.Key, "behind %q a space is wanted, or quotes around a key with a colon in it", t.Value+":")
		}
		made.keys = append(made.keys, key{name: t.Value, line: int32(t.Position.Line), column: int32(t.Position.Column)})
		made.items = append(made.items, c.convert(v.Value, depth+1))
	}
	for _, m := range merged {
		c.merge(made, m, n)
	}
	made.adopt()
	return made
}

// merge adds what another mapping, or each of a list of them, has and made has
// not.
func (c *converter) merge(made, from *node, n ast.Node) {
	switch from.kind {
	case listNode:
		for _, item := range from.items {
			if item.kind == mappingNode {
				c.merge(made, item, n)
			}
		}
	case mappingNode:
		has := make(map[string]bool, len(made.keys))
		for _, k := range made.keys {
			has[k.name] = true
		}
		for i, k := range from.keys {
			if !has[k.name] {
				k.merged = true
				made.keys = append(made.keys, k)
				made.items = append(made.items, c.copy(from.items[i], n))
			}
		}
	default:
		if c.err == nil {
			c.fail(n, "<< wants a mapping, such as an alias")
		}
	}
}

// copy is a tree of its own, so that each value knows its one parent.
func (c *converter) copy(n *node, to ast.Node) *node {
	if c.nodes++; c.nodes > maxNodes {
		return c.fail(to, "with its aliases the file has more than %d values", maxNodes)
	}
	made := *n
	made.parent, made.items = nil, nil
	for _, item := range n.items {
		if c.err != nil {
			break
		}
		made.items = append(made.items, c.copy(item, to))
	}
	if len(made.items) < len(made.keys) {
		made.keys = made.keys[:len(made.items)]
	}
	made.adopt()
	return &made
}
